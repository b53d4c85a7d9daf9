import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/** A test that runs, and the requirement ids its own title and those of the `describe`s around it name. */
export interface TitledTest {
  readonly file: string;
  readonly title: string;
  readonly ids: readonly string[];
}

const block = new Set(['describe', 'suite']);
const test = new Set(['it', 'test']);
const switchedOff = new Set(['skip', 'todo']);
const tag = /^\[([^\]]+)\] /;
const idShape = /^(?:[A-Z]{1,2}\d+|\d{4}\.\d+)$/;

export function specFiles(root: string): string[] {
  return ['src', 'libs', 'test', 'examples']
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true }).map((name) => `${folder}/${String(name)}`),
    )
    .filter((name) => /\.spec\.tsx?$/.test(name))
    .toSorted();
}

export function testsOfFile(root: string, file: string): TitledTest[] {
  return testsOf(file, readFileSync(join(root, file), 'utf8'));
}

/** Throws on a tag with something in it that has not the shape of an id, so that a typing mistake cannot hide. */
export function testsOf(file: string, source: string): TitledTest[] {
  const found: TitledTest[] = [];
  visit(ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true), []);
  return found;

  function visit(node: ts.Node, outer: readonly string[]): void {
    const call = ts.isCallExpression(node) ? titledCall(node) : undefined;
    if (!call) return ts.forEachChild(node, (child) => visit(child, outer));
    if (call.names.some((name) => switchedOff.has(name))) return;
    const ids = [...outer, ...idsOf(file, call.title)];
    if (test.has(call.names[0] ?? '')) found.push({ file, title: call.title.replace(tag, ''), ids });
    else call.node.arguments.forEach((argument) => visit(argument, ids));
  }
}

/** `it('…')`, `describe.each(rows)('…')`, `test.concurrent('…')`: the names before the title and the title. */
function titledCall(node: ts.CallExpression): { names: string[]; title: string; node: ts.CallExpression } | undefined {
  const names = namesOf(node.expression);
  const title = node.arguments[0] && textOf(node.arguments[0]);
  if (title === undefined || !(block.has(names[0] ?? '') || test.has(names[0] ?? ''))) return undefined;
  return { names, title, node };
}

function namesOf(node: ts.Expression): string[] {
  if (ts.isIdentifier(node)) return [node.text];
  if (ts.isPropertyAccessExpression(node)) return [...namesOf(node.expression), node.name.text];
  if (ts.isCallExpression(node)) return namesOf(node.expression);
  if (ts.isTaggedTemplateExpression(node)) return namesOf(node.tag);
  return [];
}

function textOf(node: ts.Expression): string | undefined {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (!ts.isTemplateExpression(node)) return undefined;
  return (
    node.head.text + node.templateSpans.map((span) => `\${${span.expression.getText()}}${span.literal.text}`).join('')
  );
}

function idsOf(file: string, title: string): string[] {
  const ids = tag.exec(title)?.[1]?.split(' ') ?? [];
  const wrong = ids.find((id) => !idShape.test(id));
  if (wrong !== undefined) throw new Error(`${file}: "${wrong}" in the title "${title}" is not a requirement id`);
  return ids;
}
