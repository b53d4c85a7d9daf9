import { Get, Res } from '@nestjs/common';
import type { Response } from 'express';
import { Clock } from '../clock/clock.js';
import { BothController } from '../http/listeners.js';
import { Readiness } from './readiness.js';

@BothController()
export class HealthController {
  constructor(
    private readonly readiness: Readiness,
    private readonly clock: Clock,
  ) {}

  /** 200 as long as the process serves HTTP, whatever it depends on. */
  @Get('livez')
  live(): object {
    return { status: 'ok', time: this.clock.now().toISOString() };
  }

  @Get(['ready', 'health'])
  async ready(@Res() res: Response): Promise<void> {
    const { status, open, checks } = await this.readiness.check();
    res
      .status(status === 'down' ? 503 : 200)
      .json({ status, time: this.clock.now().toISOString(), ...checks, breakers_open: open });
  }
}
