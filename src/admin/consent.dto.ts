import type { Consent } from '../consents/consent.js';

export const toConsentView = (consent: Consent) => ({
  id: consent.id,
  user_id: consent.userId,
  client_id: consent.clientId,
  resource_id: consent.resourceId,
  scopes: consent.scopes,
  created_at: consent.createdAt.toISOString(),
  // A consent is never edited: allowing again makes a new one, and the time of that is when this one last changed.
  updated_at: (consent.revokedAt ?? consent.supersededAt ?? consent.createdAt).toISOString(),
  superseded_at: consent.supersededAt?.toISOString(),
  revoked_at: consent.revokedAt?.toISOString(),
});
