/** A person. */
export interface User {
  /** A UUID v7; the `sub` of tokens. */
  readonly id: string;
  /** In lower case. */
  readonly email?: string;
  readonly name: string;
  readonly role: 'admin' | 'user';
  readonly status: 'active' | 'disabled';
  /** `local`: signs in with a password here. */
  readonly provider: string;
  /** Bumped by what a statement that issues must notice (S6). */
  readonly version: number;
  readonly createdAt: Date;
}

export interface NewUser {
  readonly email: string;
  readonly name?: string;
  readonly password: string;
  readonly role?: User['role'];
}

/** Another account has this e-mail address. */
export class EmailTaken extends Error {
  override readonly name = 'EmailTaken';

  constructor() {
    super('another account has this e-mail address');
  }
}

/** The one spelling under which an address is stored, found and counted. */
export const normalEmail = (text: string): string => text.trim().normalize('NFC').toLowerCase();
