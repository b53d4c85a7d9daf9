import { Module } from '@nestjs/common';

/** interim */
@Module({})
export class AdminModule {}
