import { Module } from '@nestjs/common';
import { ErrorReferenceController } from './error-reference.controller.js';

/**
 * Diagnostics — what an error means, for whoever meets it.
 * Owns: the public pages /errors and /errors/{code}, where every `error_uri` leads.
 * Not here: the failures themselves (libs/oauth/symptoms) and how they are answered (platform/http).
 * Holds always: a page is made of the same table as the error; a symptom shows all its causes, so that neither the page nor
 * its address tells a caller which one it was; nothing here reads the database.
 */
@Module({ controllers: [ErrorReferenceController] })
export class DiagnosticsModule {}
