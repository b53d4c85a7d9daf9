import { Test, type TestingModule } from '@nestjs/testing';
import { AuditModule } from '../src/audit/audit.module.js';
import { ConfigModule } from '../src/config/config.module.js';
import { loadConfig } from '../src/config/load-config.js';
import { Encryption } from '../src/encryption/encryption.js';
import { EncryptionModule } from '../src/encryption/encryption.module.js';
import { KeyRotationJob } from '../src/keys/key-rotation.job.js';
import { KeysModule } from '../src/keys/keys.module.js';
import { SigningKeys } from '../src/keys/signing-keys.js';
import { Clock } from '../src/platform/clock/clock.js';
import { BreakerModule } from '../src/platform/breaker/breaker.module.js';
import { ClockModule } from '../src/platform/clock/clock.module.js';
import { Dependencies } from '../src/platform/health/dependencies.js';
import { Database } from '../src/platform/postgres/database.js';
import { HttpClientModule } from '../src/platform/http-client/http-client.module.js';
import { OutboxModule } from '../src/platform/outbox/outbox.module.js';
import { PostgresModule } from '../src/platform/postgres/postgres.module.js';
import { QueueModule } from '../src/platform/queue/queue.module.js';
import { WebhooksModule } from '../src/webhooks/webhooks.module.js';
import type { freshDatabase } from './postgres.js';

type Connection = Awaited<ReturnType<typeof freshDatabase>>['connection'];
export type Env = Record<string, string | undefined>;

/** As much of a server as has to do with signing keys. */
export interface KeyReplica {
  readonly keys: SigningKeys;
  readonly rotation: KeyRotationJob;
  readonly database: Database;
}

export interface KeyReplicaOptions {
  readonly env: Env;
  readonly connection: Connection;
  readonly clock: Clock;
  /** Of its files. */
  readonly directory: string;
  readonly yamlPath?: string;
}

/** In the place of the whole health module; Nest knows a module by a class, whichever. */
const onlyDependencies = { module: Dependencies, global: true, providers: [Dependencies], exports: [Dependencies] };

export async function startKeyReplica(
  options: KeyReplicaOptions,
): Promise<{ module: TestingModule; replica: KeyReplica }> {
  const { env, connection, clock, directory, yamlPath } = options;
  // Whoever runs jobs would rotate by itself.
  const config = loadConfig({ env: { AUTHPLANE_SERVER_ROLE: 'server', ...env }, yamlPath, cwd: directory });
  const module = await Test.createTestingModule({
    imports: [
      ConfigModule.of(config),
      BreakerModule,
      ClockModule.of(clock),
      onlyDependencies,
      PostgresModule.of(connection, { maxConns: 4, minConns: 0 }),
      QueueModule.of(connection),
      OutboxModule,
      HttpClientModule,
      AuditModule,
      WebhooksModule,
      EncryptionModule,
      KeysModule.sealedBy(Encryption),
    ],
  }).compile();
  await module.init().catch(async (error: unknown) => {
    await module.close();
    throw error;
  });
  const replica = {
    keys: module.get(SigningKeys),
    rotation: module.get(KeyRotationJob),
    database: module.get(Database),
  };
  return { module, replica };
}
