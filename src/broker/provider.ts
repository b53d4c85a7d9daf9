export type Protocol = 'oauth' | 'api_key' | 'service_account';

/** An upstream: who it is, and how its credentials are had. */
export interface Provider {
  readonly id: string;
  /** Also the segment of `/connect/{slug}`. */
  readonly slug: string;
  readonly displayName: string;
  readonly protocol: Protocol;
  /** JSON as the operator sent it, byte for byte, but for an inline secret, which is sealed apart. Its connector reads it. */
  readonly configData: string;
  readonly sealedSecret?: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** What to call a provider on a page. */
export const providerLabel = ({ displayName, slug }: Provider): string => displayName || slug;
