import Table from 'cli-table3';
import type { Answer } from './admin-api.js';
import type { Terminal } from './terminal.js';

/** Shows answers: as tables to people, as one JSON document with `--json`. */
export class Output {
  constructor(
    private readonly terminal: Terminal,
    private readonly asJson: boolean,
  ) {}

  /** The items under `member`, one line each; `toRow` where an item is not yet what the columns name. */
  list(answer: Answer, member: string, columns: readonly string[], toRow = (item: unknown) => item as Answer): void {
    if (this.asJson) return this.json(answer);
    const items: unknown = answer[member];
    const rows = (Array.isArray(items) ? items : []).map((item: unknown) => toRow(item));
    if (rows.length === 0) this.terminal.tell(`no ${member.replaceAll('_', ' ')}`);
    else
      this.terminal.print(
        grid(
          columns,
          rows.map((row) => columns.map((column) => cell(row[column]))),
        ),
      );
    if (answer.next_cursor) this.terminal.tell(`there are more: --cursor ${cell(answer.next_cursor)}`);
  }

  /** One object, a line per member. */
  one(answer: Answer): void {
    if (this.asJson) return this.json(answer);
    this.terminal.print(
      grid(
        [],
        Object.entries(answer).map(([name, value]) => [name, cell(value)]),
      ),
    );
  }

  /** Something that happened and has no body of its own. */
  done(sentence: string, fact: Answer): void {
    if (this.asJson) this.json(fact);
    else this.terminal.print(printable(sentence));
  }

  /** Beside the answer, on standard error: hints that a pipe must not see. */
  note(sentence: string): void {
    this.terminal.tell(printable(sentence));
  }

  private json(answer: Answer): void {
    this.terminal.print(printable(JSON.stringify(answer, null, 2), '\n'));
  }
}

const bare = { 'top': '', 'top-mid': '', 'top-left': '', 'top-right': '', 'bottom': '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' }; // prettier-ignore
const inner = { 'left': '', 'left-mid': '', 'mid': '', 'mid-mid': '', 'right': '', 'right-mid': '', 'middle': '  ' }; // prettier-ignore

function grid(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    chars: { ...bare, ...inner },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
    head: head.map((title) => title.toUpperCase()),
  });
  table.push(...rows.map((row) => [...row]));
  return table.toString().replace(/ +$/gm, '');
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (Array.isArray(value)) return value.map((item) => cell(item)).join(', ');
  if (typeof value === 'object') return printable(JSON.stringify(value));
  return printable(String(value));
}

/**
 * Names of self-registered clients are chosen by strangers: a control character or a change of writing direction must not
 * reach the operator's terminal, where it could rewrite what is on the screen.
 */
export function printable(text: string, allowed = ''): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) =>
    allowed.includes(character) ? character : character.split('').map(escaped).join(''),
  );
}

const escaped = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
