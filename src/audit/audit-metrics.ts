import {
  allowlistOperations,
  authCodeReuse,
  authDenied,
  clientCredentialsDenied,
  clientsRegistered,
  connectionsConnected,
  consentDecisions,
  keyRotations,
  loginAttempts,
  refreshTokenReuse,
  resourceServerOperations,
  tokenExchangesDenied,
  tokensRevoked,
  xaaIdpOperations,
} from '../platform/telemetry/protocol-metrics.js';
import type { AuditFact } from './audit-log.js';

type Count = (fact: AuditFact) => void;

const denied: Count = ({ reason }) => authDenied.inc({ reason: reason ?? 'unknown' });
const resource: Count = ({ action }) => resourceServerOperations.inc({ op: action.slice('resource.'.length) });
const idp: Count = ({ action }) => xaaIdpOperations.inc({ op: action.slice('xaa.idp_'.length) });
const signedIn: Count = () => loginAttempts.inc({ outcome: 'success' });
const notSignedIn: Count = () => loginAttempts.inc({ outcome: 'failure' });
const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** What counts as what. Everything else that is on record is counted where it is done, or not at all. */
const COUNTS: Readonly<Record<string, Count>> = {
  'token.issue_denied': denied,
  'token.refresh_denied': denied,
  'jwt_bearer.denied': denied,
  'authorize.denied': denied,
  'connect.denied': denied,
  'token.exchange_denied': (fact) => {
    denied(fact);
    tokenExchangesDenied.inc({ reason: fact.reason ?? 'unknown' });
  },
  'client_credentials.denied': (fact) => {
    denied(fact);
    clientCredentialsDenied.inc({ reason: fact.reason ?? 'unknown' });
  },
  'auth_code.reused': ({ detail }) => authCodeReuse.inc({ verifier: text(detail?.['verifier']) }),
  'family.revoked': ({ reason }) => {
    if (reason === 'reuse_detection') refreshTokenReuse.inc();
    tokensRevoked.inc({ reason: reason === 'reuse_detection' ? 'family_revocation' : 'code_reuse' });
  },
  'token.revoked': ({ detail }) => tokensRevoked.inc({ reason: detail?.['family'] ? 'explicit' : 'explicit_machine' }),
  'issuance.revoked_admin': () => tokensRevoked.inc({ reason: 'explicit_machine' }),
  'user.force_logout': families,
  'user.tokens_revoked': families,
  'consent.granted': () => consentDecisions.inc({ decision: 'granted' }),
  'consent.denied': () => consentDecisions.inc({ decision: 'denied' }),
  'user.login': signedIn,
  'user.oidc_login': signedIn,
  'user.login_failed': notSignedIn,
  'user.oidc_login_failed': notSignedIn,
  'client.created_admin': () => clientsRegistered.inc({ source: 'admin' }),
  'client.registered': ({ detail }) => clientsRegistered.inc({ source: text(detail?.['source']) }),
  'key.rotated': () => keyRotations.inc(),
  'broker_grant.created': ({ detail }) => connectionsConnected.inc({ provider: text(detail?.['provider']) }),
  'resource.created': resource,
  'resource.patched': resource,
  'resource.deleted': resource,
  'xaa.idp_created': idp,
  'xaa.idp_updated': idp,
  'xaa.idp_deleted': idp,
  'xaa.idp_keys_refreshed': idp,
};

function families({ detail }: AuditFact): void {
  tokensRevoked.inc({ reason: 'explicit' }, Number(detail?.['revoked'] ?? 0));
}

/** Metrics of what the audit has on record, so that the two agree. */
export function countFact(fact: AuditFact): void {
  const count = COUNTS[fact.action];
  if (count) count(fact);
  else if (fact.action.startsWith('resource.policy.'))
    allowlistOperations.inc({ op: fact.action.endsWith('.added') ? 'added' : 'removed' });
}
