import { childSpan, fail, SpanKind } from '../telemetry/spans.js';

interface Sender {
  sendCommand(command: { readonly name: string }, ...rest: unknown[]): unknown;
}

/** Gives every command a span with its name, and nothing of its keys and values. What it answers stays what it was. */
export function traceCommands(client: object): void {
  const sender = client as Sender;
  const send = sender.sendCommand.bind(sender);
  sender.sendCommand = (command, ...rest) => {
    const span = childSpan(command.name, SpanKind.CLIENT, {
      'db.system.name': 'redis',
      'db.operation.name': command.name,
    });
    const answer = send(command, ...rest);
    if (span)
      Promise.resolve(answer)
        .catch((error: unknown) => fail(span, error instanceof Error ? error.name : 'unknown'))
        .finally(() => span.end());
    return answer;
  };
}
