import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { AuditLog } from '../audit/audit-log.js';
import { loginAttempts } from '../platform/telemetry/protocol-metrics.js';
import { BrowserSessions } from './browser-sessions.js';
import { SignInLimits } from './sign-in-limits.js';
import { normalEmail, type User } from './user.js';
import { Users } from './users.js';

export type Refused = { readonly kind: 'refused' } | { readonly kind: 'locked'; readonly retryAfterSeconds: number };
export type Proof = Refused | { readonly kind: 'proven'; readonly user: User; readonly passwordHash: string };

/** Who is at the browser: limits, then the account, then the password, then a new session. */
@Injectable()
export class SignIn {
  constructor(
    private readonly limits: SignInLimits,
    private readonly users: Users,
    private readonly sessions: BrowserSessions,
    private readonly audit: AuditLog,
  ) {}

  /** Signs the browser in, if e-mail address and password are right. */
  async enter(
    req: Request,
    res: Response,
    email: string,
    password: string,
  ): Promise<Refused | { readonly kind: 'entered' }> {
    const proof = await this.prove(email, password);
    if (proof.kind !== 'proven') return proof;
    const { user, passwordHash } = proof;
    const facts = [{ action: 'user.login', actorId: user.id }];
    const entered = await this.sessions.start(req, res, user, { passwordHash, facts });
    return { kind: entered ? 'entered' : 'refused' };
  }

  /** Whether the password is this person's, under the limits of W23. Whatever is wrong, the answer is the same. */
  async prove(email: string, password: string): Promise<Proof> {
    const attempt = await this.limits.begin(normalEmail(email));
    if (!attempt.allowed) loginAttempts.inc({ outcome: 'locked' });
    if (!attempt.allowed) return { kind: 'locked', retryAfterSeconds: attempt.retryAfterSeconds };
    const check = await this.users.checkPassword(email, password);
    if (check.matches) {
      await attempt.succeeded();
      return { kind: 'proven', user: check.user, passwordHash: check.passwordHash };
    }
    await this.audit.refused({ action: 'user.login_failed', reason: check.reason, actorId: check.userId });
    const lockedUntil = await attempt.failed();
    if (lockedUntil) {
      const detail = { until: lockedUntil.toISOString() };
      await this.audit.refused({ action: 'auth.locked_out', actorId: check.userId, detail });
    }
    return { kind: 'refused' };
  }
}
