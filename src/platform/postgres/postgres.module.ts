import { Module, type DynamicModule } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { poolConfig, type PoolSize, type PostgresConnection } from './connection.js';
import { Database, isDatabaseAway } from './database.js';
import { PartitionUpkeep } from './partition-upkeep.js';
import { SettingStore } from './settings.store.js';

/**
 * Postgres — everything durable lies here.
 * Owns: the connections (`Database`), the settings an operator changes, partitions, migrations, the insert batcher, and the
 * embedded server with its lock. Not here: any table's meaning; that is the module whose store reads it.
 * Starting the embedded server and migrating happen before the application is made (`startEmbedded`, `migrate`).
 * Holds always: acknowledged means committed; a database that is away is a `DatabaseAway` within about three seconds;
 * the schema changes only by migrations.
 */
@Module({})
export class PostgresModule {
  static of(connection: PostgresConnection, size: PoolSize = {}): DynamicModule {
    return {
      module: PostgresModule,
      global: true,
      imports: [
        TypeOrmModule.forRoot({
          type: 'postgres',
          autoLoadEntities: true,
          synchronize: false,
          // On a machine where many start at once, a first connection may take longer than one that serves requests is given.
          retryAttempts: 5,
          retryDelay: 400,
          toRetry: isDatabaseAway,
          parseInt8: true,
          logging: false,
          extra: poolConfig(connection, size),
        }),
      ],
      providers: [Database, SettingStore, PartitionUpkeep],
      exports: [Database, SettingStore],
    };
  }
}
