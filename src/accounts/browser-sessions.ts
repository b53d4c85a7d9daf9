import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { newBearerValue, readBearerValue, sameBytes } from '#libs/oauth';
import { AuditLog, type AuditFact } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import { requestContext } from '../platform/http/request-context.js';
import { uuid7 } from '../platform/uuid7.js';
import { Cookies } from './cookies.js';
import type { NewStanding } from './identity-standing.js';
import { Recheck } from './recheck.js';
import { SessionStore, type SessionView } from './session.store.js';
import type { User } from './user.js';

/** A signed-in browser. */
export interface BrowserSession {
  readonly id: string;
  readonly user: User;
  /** The slug of the one at which it began. */
  readonly identityProvider?: string;
  readonly createdAt: Date;
}

export interface StartOptions {
  /** What the password was checked against: if the user has another one by now, there is no session. */
  readonly passwordHash?: string;
  /** Of whoever an identity provider said this is. */
  readonly standing?: NewStanding;
  /** Committed with the session. */
  readonly facts?: readonly AuditFact[];
}

/**
 * Sessions are rows (W29): made only here, each under a new id; found by the id in the cookie, believed by the hash of the
 * whole value; gone for good when they end.
 */
@Injectable()
export class BrowserSessions {
  readonly #stem: string;
  readonly #maxAgeSeconds: number;

  constructor(
    config: Config,
    private readonly store: SessionStore,
    private readonly cookies: Cookies,
    private readonly recheck: Recheck,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {
    this.#stem = config.session.cookieName;
    this.#maxAgeSeconds = config.session.maxAgeSeconds;
  }

  /**
   * Read from the database each time: whoever was disabled a moment ago is not signed in. Of whoever came from an identity provider it is
   * asked again, where that is due.
   *
   * @throws OAuthError `try-again` when the provider has not answered for too long
   */
  async current(req: Request): Promise<BrowserSession | undefined> {
    const session = await this.held(req);
    if (session?.identityProvider === undefined) return session;
    return (await this.recheck.verdictOn(session.user.id)) === 'welcome' ? session : undefined;
  }

  /** The same without asking an identity provider: to leave nobody need be welcome. */
  async held(req: Request): Promise<BrowserSession | undefined> {
    const presented = this.#presented(req);
    const row = presented && (await this.store.find(presented.id, this.clock.now()));
    if (!row || !sameBytes(row.secretHash, presented.hash)) return undefined;
    const { id, user, identityProvider, createdAt } = row;
    return { id, user, identityProvider, createdAt };
  }

  /**
   * Signs this browser in under a new id and ends the session it had. How the person stands at their identity provider is committed
   * with it.
   *
   * @returns false when the user was disabled or changed the password meanwhile, or is not that person of the provider any more
   */
  async start(
    req: Request,
    res: Response,
    user: User,
    { passwordHash, standing, facts = [] }: StartOptions = {},
  ): Promise<boolean> {
    const createdAt = this.clock.now();
    const id = uuid7(createdAt);
    const { value, hash } = newBearerValue('se', id);
    const expiresAt = new Date(createdAt.getTime() + this.#maxAgeSeconds * 1000);
    const userAgent = requestContext()?.userAgent ?? '';
    const opened = await this.store.open(
      { id, secretHash: hash, userId: user.id, userAgent, standing, createdAt, expiresAt },
      { former: this.#presented(req), passwordHash, auditRows: this.audit.rows(...facts) },
    );
    if (opened) this.audit.happened(...facts);
    if (opened) this.cookies.write(res, this.#stem, value, this.#maxAgeSeconds);
    return opened;
  }

  /** Signs this browser out. */
  async end(req: Request, res: Response): Promise<void> {
    const session = await this.held(req);
    if (session) {
      const fact = { action: 'user.logout', actorId: session.user.id };
      await this.store.end(session.user.id, session.id, this.audit.rows(fact));
    }
    this.cookies.clear(res, this.#stem);
  }

  /** Newest first. */
  ofUser(userId: string): Promise<SessionView[]> {
    return this.store.ofUser(userId, this.clock.now());
  }

  /** @returns false when the user has no such session */
  endOne(userId: string, sessionId: string): Promise<boolean> {
    return this.store.end(userId, sessionId, this.#ended(userId));
  }

  /** @returns how many ended */
  endAll(userId: string, exceptSessionId?: string): Promise<number> {
    return this.store.endAll(userId, exceptSessionId, this.#ended(userId));
  }

  #presented(req: Request): { id: string; hash: Buffer } | undefined {
    const value = this.cookies.read(req, this.#stem);
    return value === undefined ? undefined : readBearerValue('se', value);
  }

  #ended(userId: string): string {
    return this.audit.rows({ action: 'user.sessions_ended', detail: { user: userId } });
  }
}
