import type { AuditFact } from '../audit/audit-log.js';
import type { Notice } from './notices.js';

type Telling = (fact: Omit<AuditFact, 'detail'> & { readonly detail: Record<string, unknown> }) => Notice;

const aboutClient =
  (type: Notice['type']): Telling =>
  ({ clientId }) => ({ type, data: { client_id: clientId } });

const aboutUser =
  (type: Notice['type']): Telling =>
  ({ detail }) => ({ type, data: { user_id: detail['user'] } });

/** What of the audit is told to webhooks, too. The names are those of the wire. */
const told: Readonly<Record<string, Telling>> = {
  'client.suspended': aboutClient('client.suspended'),
  'client.revoked': aboutClient('client.revoked'),
  'client.deleted': aboutClient('client.deleted'),
  'user.disabled': aboutUser('user.disabled'),
  'user.deleted': aboutUser('user.deleted'),
  'broker_grant.revoked': ({ detail }) =>
    connection(detail['grant_id'], detail['user'], detail['provider'], detail['why']),
  'broker_grant.revoked_admin': ({ detail }) =>
    connection(detail['id'], detail['user_id'], detail['broker_provider_id'], 'revoked_by_operator'),
  'key.rotated': ({ detail }) => ({
    type: 'signing_key.rotated',
    data: { kid: detail['kid'], activate_after_seconds: detail['activateAfterSeconds'] },
  }),
  'client.secret_expiring': ({ clientId, detail }) => ({
    type: 'secret.expiring',
    data: {
      kind: 'client_secret',
      client_id: clientId,
      secret_id: detail['secret'],
      expires_at: detail['expires_at'],
      days_left: detail['days_left'],
      replaced: detail['replaced'],
    },
  }),
};

const connection = (id: unknown, user: unknown, provider: unknown, reason: unknown): Notice => ({
  type: 'connection.revoked',
  data: { connection_id: id, user_id: user, provider_id: provider, reason },
});

/** @returns undefined when webhooks are not told of this */
export function noticeOf(fact: AuditFact): Notice | undefined {
  return Object.hasOwn(told, fact.action) ? told[fact.action]?.({ ...fact, detail: fact.detail ?? {} }) : undefined;
}
