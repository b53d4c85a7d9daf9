import { IsIn, MaxLength, IsString, MinLength } from 'class-validator';
import type { User } from '../accounts/users.js';
import { IsText, MayBeAbsent } from './member-checks.js';

const maxPasswordLength = 1024;

export class CreateUser {
  @IsText(254)
  @MinLength(3)
  email: string;

  @MayBeAbsent()
  @IsText(200)
  name?: string;

  /** At least 12 characters. */
  @MaxLength(maxPasswordLength)
  @IsString()
  password: string;

  @MayBeAbsent()
  @IsIn(['admin', 'user'])
  role?: 'admin' | 'user';
}

export class UpdateUser {
  @MayBeAbsent()
  @IsText(254)
  @MinLength(3)
  email?: string;

  @MayBeAbsent()
  @IsText(200)
  name?: string;
}

export class SetPassword {
  /** At least 12 characters. */
  @MaxLength(maxPasswordLength)
  @IsString()
  password: string;
}

export const toUserView = (user: User) => ({
  id: user.id,
  email: user.email ?? null,
  name: user.name,
  role: user.role,
  status: user.status,
  provider: user.provider,
  created_at: user.createdAt.toISOString(),
});
