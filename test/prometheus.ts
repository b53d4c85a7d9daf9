import { parser } from '@prometheus-io/lezer-promql';
import type { SyntaxNode } from '@lezer/common';

/** What a query of PromQL is about. */
export interface Selector {
  readonly metric: string;
  readonly matchers: readonly { readonly label: string; readonly op: string; readonly value: string }[];
  /** Labels that something around it groups by. */
  readonly grouping: readonly string[];
}

/**
 * The selectors of a query, as Prometheus' own grammar reads it.
 *
 * @throws Error where it is no PromQL
 */
export function selectorsOf(query: string): Selector[] {
  const tree = parser.parse(query);
  const found: Selector[] = [];
  const text = (node: SyntaxNode): string => query.slice(node.from, node.to);
  const visit = (node: SyntaxNode, grouping: readonly string[]): void => {
    if (node.type.isError) throw new Error(`no PromQL at ${node.from}: ${query}`);
    const modifier = node.name === 'AggregateExpr' ? node.getChild('AggregateModifier') : null;
    const labels = modifier?.getChild('GroupingLabels')?.getChildren('LabelName').map(text) ?? [];
    const around = [...grouping, ...labels];
    if (node.name === 'VectorSelector') {
      const matchers = node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? [];
      found.push({
        metric: text(node.getChild('Identifier') ?? node),
        grouping: around,
        matchers: matchers.map((matcher) => ({
          label: text(matcher.getChild('LabelName') ?? matcher),
          op: text(matcher.getChild('MatchOp') ?? matcher),
          value: text(matcher.getChild('StringLiteral') ?? matcher).slice(1, -1),
        })),
      });
    }
    for (let child = node.firstChild; child; child = child.nextSibling) visit(child, around);
  };
  visit(tree.topNode, []);
  return found;
}

/** One line of the text that Prometheus scrapes. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Reads the exposition format of Prometheus (0.0.4). @throws Error where it is none */
export function readSamples(exposition: string): Sample[] {
  return exposition
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name = '', labels = '', value = ''] = /^([a-z0-9_:]+)(?:\{(.*)\})? ([0-9.eE+-]+|Nan)$/.exec(line) ?? [];
      if (name === '') throw new Error(`no sample: ${line}`);
      const pairs = [...labels.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)];
      return { name, labels: Object.fromEntries(pairs.map(([, label, text]) => [label, text])), value: Number(value) };
    });
}
