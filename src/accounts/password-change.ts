import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { BrowserSessions } from './browser-sessions.js';
import { PasswordUnfit } from './password-hashing.js';
import { SignIn } from './sign-in.js';
import type { User } from './user.js';
import { Users } from './users.js';

export interface PasswordChangeForm {
  readonly current: string;
  readonly next: string;
  /** The same as `next`. */
  readonly again: string;
}

export type PasswordChangeOutcome =
  | { readonly kind: 'changed' }
  /** `problem` is fit for the person. */
  | { readonly kind: 'refused'; readonly problem: string }
  | { readonly kind: 'locked'; readonly retryAfterSeconds: number };

/** A person changes their own password. Whoever found the browser open must know the old one, under the limits of signing in. */
@Injectable()
export class PasswordChange {
  constructor(
    private readonly signIn: SignIn,
    private readonly users: Users,
    private readonly sessions: BrowserSessions,
  ) {}

  /** Ends every session, also this one, and opens a new one here: a copied cookie dies even if it was this browser's. */
  async change(req: Request, res: Response, user: User, form: PasswordChangeForm): Promise<PasswordChangeOutcome> {
    if (form.next !== form.again) return { kind: 'refused', problem: 'The new password and its repetition differ.' };
    const proof = await this.signIn.prove(user.email ?? '', form.current);
    if (proof.kind === 'locked') return proof;
    if (proof.kind === 'refused' || proof.user.id !== user.id) {
      return { kind: 'refused', problem: 'The current password is not right.' };
    }
    try {
      const passwordHash = await this.users.setPassword(user.id, form.next, user.id);
      if (passwordHash === undefined) return { kind: 'refused', problem: 'This account has no password here.' };
      await this.sessions.start(req, res, user, { passwordHash });
      return { kind: 'changed' };
    } catch (error) {
      if (error instanceof PasswordUnfit) return { kind: 'refused', problem: error.message };
      throw error;
    }
  }
}
