import { Injectable } from '@nestjs/common';
import { Config } from '../config/config.js';

@Injectable()
export class RegistrationMode {
  constructor(private readonly config: Config) {}
  async lastKnown(): Promise<string> {
    return this.config.dcr.mode;
  }
}
