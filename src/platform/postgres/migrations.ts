import { FirstLight0001 } from './migrations/0001-first-light.js';
import { Broker0002 } from './migrations/0002-broker.js';
import { Reencryption0003 } from './migrations/0003-reencryption.js';
import { Identities0004 } from './migrations/0004-identities.js';
import { Xaa0005 } from './migrations/0005-xaa.js';
import { Federation0006 } from './migrations/0006-federation.js';
import { IdentityStanding0007 } from './migrations/0007-identity-standing.js';
import { SignInProviders0008 } from './migrations/0008-sign-in-providers.js';
import { IdJagAudiences0009 } from './migrations/0009-id-jag-audiences.js';
import { AuditSeals0010 } from './migrations/0010-audit-seals.js';
import { IdentityChecks0011 } from './migrations/0011-identity-checks.js';
import { LastUsedAgent0012 } from './migrations/0012-last-used-agent.js';
import { OverdueRevocations0013 } from './migrations/0013-overdue-revocations.js';
import { Webhooks0014 } from './migrations/0014-webhooks.js';
import { SecretReminders0015 } from './migrations/0015-secret-reminders.js';
import { KeptDocuments0016 } from './migrations/0016-kept-documents.js';
import { RefusalsApart0020 } from './migrations/0020-refusals-apart.js';
import { ByAge0021 } from './migrations/0021-by-age.js';
import { TransitKeys0022 } from './migrations/0022-transit-keys.js';

/** In the order in which they run. A released migration is never edited; a change is a new file at the end. */
export const migrations = [
  FirstLight0001,
  Broker0002,
  Reencryption0003,
  Identities0004,
  Xaa0005,
  Federation0006,
  IdentityStanding0007,
  SignInProviders0008,
  IdJagAudiences0009,
  AuditSeals0010,
  IdentityChecks0011,
  LastUsedAgent0012,
  OverdueRevocations0013,
  Webhooks0014,
  SecretReminders0015,
  KeptDocuments0016,
  RefusalsApart0020,
  ByAge0021,
  TransitKeys0022,
];
