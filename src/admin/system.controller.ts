import { Get, HttpCode, Post } from '@nestjs/common';
import { AuditLog } from '../audit/audit-log.js';
import { ConnectionViews } from '../broker/connection-views.js';
import { version } from '../config/version.js';
import { Clock } from '../platform/clock/clock.js';
import { OperatorController } from './operator-controller.js';
import { StatsStore } from './stats.store.js';
import { SystemReport } from './system-report.js';

/** What the operator's start page shows. */
@OperatorController()
export class SystemController {
  constructor(
    private readonly stats: StatsStore,
    private readonly connections: ConnectionViews,
    private readonly report: SystemReport,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  /** Only for a right key is this reached at all. */
  @Post('auth/verify')
  @HttpCode(200)
  async verify(): Promise<object> {
    await this.audit.refused({ action: 'admin.ui.login' });
    return { valid: true, version };
  }

  @Get('stats')
  async counts(): Promise<object> {
    const [counted, connections] = await Promise.all([this.stats.count(this.clock.now()), this.connections.count()]);
    const { clients, users, activeTokens, revokedTokens } = counted;
    return { clients, users, active_tokens_24h: activeTokens, revoked_tokens: revokedTokens, connections };
  }

  @Get('system/status')
  status(): Promise<object> {
    return this.report.status();
  }

  @Get('system/config')
  config(): Promise<object> {
    return this.report.config();
  }
}
