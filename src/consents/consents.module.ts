import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ConsentRevocationJob } from './consent-revocation.job.js';
import { ConsentEntity } from './consent.entity.js';
import { ConsentStore } from './consent.store.js';
import { Consents } from './consents.js';
import { RevocationStore } from './revocation.store.js';
import { Revocations } from './revocations.js';

/**
 * Consents — what a person allowed a client at a resource, and what was taken back.
 * Owns: the tables consents and revocations. Not here: the page that asks (authorize/), the tokens that stand on a consent (tokens/).
 * Holds always: a consent is never edited or revived; withdrawing ends those it superseded, too; a revocation is an insert, and
 * every token is judged by reading it, and the outbox hears of it in the same commit (a trigger of the table).
 */
@Module({
  imports: [TypeOrmModule.forFeature([ConsentEntity])],
  providers: [ConsentStore, Consents, RevocationStore, Revocations, ConsentRevocationJob],
  exports: [Consents, Revocations],
})
export class ConsentsModule {}
