import { Module, type DynamicModule } from '@nestjs/common';
import { Config } from './config.js';
import { SecretReferences } from './secret-references.js';

/**
 * Configuration — what an operator may set, as one frozen tree.
 * Owns: the settings and their reference, YAML, AUTHPLANE_* variables, the secrets a first run generates, secrets that rows name.
 * Not here: settings that live in the database and change without a restart (platform/postgres, settings).
 * Holds always: every mistake is reported at once and the server does not start with one; nothing is generated off localhost;
 * no problem line and no printed section shows a secret.
 * The only reader of process.env.
 */
@Module({})
export class ConfigModule {
  static of(config: Config): DynamicModule {
    return {
      module: ConfigModule,
      global: true,
      providers: [
        { provide: Config, useValue: config },
        { provide: SecretReferences, useValue: config.secretReferences },
      ],
      exports: [Config, SecretReferences],
    };
  }
}
