import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestApp } from './app.js';
import {
  tokensOf,
  type ClientFixture,
  type ResourceFixture,
  type TokenResponse,
  type UserFixture,
} from './builders.js';
import { typed, type CommandLine } from './command-line.js';
import { exchange } from './exchanges.js';

const CALLBACK = 'http://localhost:3000/callback';

/** A guide, and a newcomer who types it line by line: what a line printed fills the next. */
export class TypedGuide {
  readonly text: string;
  /** As the shell has them: `AGENT`, `AGENT_TOKEN`. */
  readonly variables = new Map([
    ['callback', CALLBACK],
    ['verifier', ''],
  ]);
  #asked: readonly string[] = [];
  #printed: { client_id?: string; client_secret?: string } = {};

  /** @param refused what the newcomer does about an exchange that is refused, before typing it once more */
  constructor(
    name: string,
    private readonly at: { app: TestApp; cli: CommandLine; user: UserFixture },
    private readonly refused: (answer: TokenResponse) => Promise<unknown>,
  ) {
    this.text = readFileSync(join(import.meta.dirname, `../docs/guides/${name}.md`), 'utf8');
  }

  /** Types everything between two headings, in order. */
  async type(from: string, to: string): Promise<void> {
    const part = this.text.slice(this.text.indexOf(from), this.text.indexOf(to));
    const shell = [...part.matchAll(/```sh\n([^`]*)```/g)].map(([, block]) => block).join('');
    const withoutFunctions = shell.replaceAll(/\w+\(\) \{\n[^}]*\}\n/g, '');
    for (const line of withoutFunctions
      .replaceAll(/\\\n\s*/g, '')
      .split('\n')
      .filter(Boolean))
      await this.#type(line);
  }

  async #type(line: string): Promise<void> {
    const words = typed(line.replaceAll(/\$(\w+)/g, (_, name: string) => this.#variable(name)).replaceAll('"', "'"));
    const [, variable = '', action] = /^(\w+)=(?:<client_id> |\$\((\w+) )/.exec(line) ?? [];
    if (words[0] === 'authserver') this.#printed = await this.at.cli.json(...words.slice(2));
    else if (words[0] === 'ask') this.#asked = words.slice(1);
    else if (action === 'token') this.variables.set(variable, await this.#redeemed());
    else if (action === 'exchange') this.variables.set(variable, await this.#exchanged(line, words));
    else if (variable) this.#note(variable);
    else throw new Error(`nobody knows here how to type: ${line}`);
  }

  #variable(name: string): string {
    const value = this.variables.get(name);
    if (value === undefined) throw new Error(`the guide uses $${name} before it has a value`);
    return value;
  }

  #note(name: string): void {
    const { client_id: id, client_secret: secret } = this.#printed;
    if (!id || !secret) throw new Error(`the guide wants ${name} from a command that printed none`);
    this.variables.set(name, id).set(`${name}_SECRET`, secret);
  }

  #client(id: string): ClientFixture {
    const [name] = [...this.variables].find(([, value]) => value === id) ?? [''];
    return { id, secret: this.#variable(`${name}_SECRET`), redirectUri: CALLBACK };
  }

  /** The URL that `ask` printed, opened and allowed; the code that came of it, redeemed. */
  async #redeemed(): Promise<string> {
    const [id = '', uri = '', scope = ''] = this.#asked;
    const flow = { ...this.at, client: this.#client(id), resource: { uri } as ResourceFixture };
    return (await tokensOf(flow, { scope: scope.replaceAll('+', ' ') })).tokens.access_token;
  }

  /** `exchange -u id:secret -d name=value …` */
  async #exchanged(line: string, words: readonly string[]): Promise<string> {
    const fields = words.map((word) => /^(\w+)=([^$)]+)\)?$/.exec(word) ?? []).filter(({ length }) => length > 0);
    const { subject_token: token = '', ...more } = Object.fromEntries(fields.map(([, name, value]) => [name!, value!]));
    const id = words.find((word) => word.includes(':'))!.split(':')[0]!;
    const ask = () => exchange(this.at.app, this.#client(id), token, more);
    let answer = await ask();
    if (answer.status !== 200) {
      await this.refused(answer);
      answer = await ask();
    }
    if (answer.status !== 200) throw new Error(`${line}: ${JSON.stringify(answer.body)}`);
    return answer.body.access_token;
  }
}
