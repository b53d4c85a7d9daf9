import { ProviderConfigWrong } from './provider-config.js';

/** The secret beside a `config_data` that does not hold it. */
export interface SecretAtHand {
  /** It came along, and would replace the one in the row. */
  readonly given: boolean;
  /** The row has one. */
  readonly kept: boolean;
}

/** Where a provider's secret lies. */
export interface SecretPlace {
  /** The variable that holds it. */
  readonly reference?: string;
  /** Sealed, in the row. */
  readonly inRow: boolean;
}

/** How `config_data` spells it. */
interface Spelling {
  readonly inline: string;
  readonly reference: string;
}

/** @throws ProviderConfigWrong when there is no secret, or two */
export function requireSecret(spelling: Spelling, reference: string | undefined, secret: SecretAtHand): SecretPlace {
  if (reference !== undefined && secret.given)
    throw new ProviderConfigWrong(spelling.inline, `and config_data.${spelling.reference} exclude each other`);
  if (reference !== undefined) return { reference, inRow: false };
  if (!secret.given && !secret.kept)
    throw new ProviderConfigWrong(spelling.reference, `or config_data.${spelling.inline} is required`);
  return { inRow: true };
}
