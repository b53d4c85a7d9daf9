import type { Page } from '../platform/http/page.js';
import { Card, Notice } from '../platform/http/page-elements.js';

export interface ConnectDoneProps {
  readonly provider: string;
  /** The MCP server that may use it now. */
  readonly server?: string;
  readonly allowed: boolean;
  /** What was asked for and upstream did not give. */
  readonly missing?: readonly string[];
}

/** The end of a connect flow that has no address to go back to. */
export function connectDonePage({ provider, server, allowed, missing = [] }: ConnectDoneProps): Page {
  const title = allowed ? 'Connected' : 'Not connected';
  return {
    title,
    body: (
      <Card labelledBy="title">
        <h1 id="title">{title}</h1>
        <Notice kind={allowed ? 'good' : undefined}>
          <p>
            {server && allowed && (
              <>
                <bdi>{server}</bdi> may now use your <bdi>{provider}</bdi> account.
              </>
            )}
            {server && !allowed && (
              <>
                <bdi>{server}</bdi> may not use your <bdi>{provider}</bdi> account.
              </>
            )}
            {!server && (
              <>
                Your <bdi>{provider}</bdi> account {allowed ? 'is connected' : 'was not connected'}.
              </>
            )}
          </p>
        </Notice>
        {missing.length > 0 && (
          <Notice kind="care" title={`${provider} gave less than was asked for`}>
            <p class="small">Without these, some things will not work, and you will be asked again:</p>
            <p class="tags">
              {missing.map((scope) => (
                <code key={scope}>{scope}</code>
              ))}
            </p>
          </Notice>
        )}
        <p>You can return to your application.</p>
      </Card>
    ),
  };
}
