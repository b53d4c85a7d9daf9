import { Body, Get, Patch } from '@nestjs/common';
import { RegistrationMode } from '../clients/registration-mode.js';
import { OperatorController } from './operator-controller.js';
import { SetRegistrationMode } from './settings.dto.js';

/** What an operator changes while the server runs. */
@OperatorController('settings')
export class SettingsController {
  constructor(private readonly mode: RegistrationMode) {}

  @Get('dcr')
  async registration(): Promise<object> {
    return { mode: await this.mode.get() };
  }

  @Patch('dcr')
  async setRegistration(@Body() { mode }: SetRegistrationMode): Promise<object> {
    await this.mode.set(mode);
    return { mode: await this.mode.get() };
  }
}
