import { authorizationSymptoms } from './authorization-symptoms.js';
import { brokerSymptoms } from './broker-symptoms.js';
import { clientSymptoms } from './client-symptoms.js';
import { connectSymptoms } from './connect-symptoms.js';
import { dpopSymptoms } from './dpop-symptoms.js';
import { exchangeSymptoms } from './exchange-symptoms.js';
import { requestSymptoms } from './request-symptoms.js';
import { signInSymptoms } from './sign-in-symptoms.js';
import { tokenSymptoms } from './token-symptoms.js';
import { xaaSymptoms } from './xaa-symptoms.js';

/** Every symptom this server has, by its slug, which is also its anchor on the error page. */
export const symptoms = {
  ...clientSymptoms,
  ...tokenSymptoms,
  ...dpopSymptoms,
  ...exchangeSymptoms,
  ...xaaSymptoms,
  ...brokerSymptoms,
  ...authorizationSymptoms,
  ...connectSymptoms,
  ...signInSymptoms,
  ...requestSymptoms,
} as const;

export type SymptomSlug = keyof typeof symptoms;
/** Distributes, so that an error of one symptom is an error of any. */
export type ReasonOf<S extends SymptomSlug> = S extends SymptomSlug
  ? keyof (typeof symptoms)[S]['reasons'] & string
  : never;
