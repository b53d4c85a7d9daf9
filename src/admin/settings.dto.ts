import { IsIn } from 'class-validator';

const modes = ['open', 'approved_redirects', 'admin_only'] as const;

export class SetRegistrationMode {
  @IsIn(modes)
  mode: (typeof modes)[number];
}
