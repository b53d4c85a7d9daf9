import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { importPrivate, signJwt, SigningKeyRefused, type SigningAlg } from '#libs/jwt';
import { Clock } from '../../platform/clock/clock.js';
import type { Provider } from '../provider.js';
import { asConfigured, ProviderConfig, ProviderConfigWrong } from '../provider-config.js';
import { ProviderSecrets } from '../provider-secrets.js';
import { requireSecret, type SecretAtHand, type SecretPlace } from '../secret-place.js';
import { UpstreamMisconfigured, UpstreamRefused } from '../upstream-errors.js';
import type { Credential, Traits, UpstreamToken } from './connector.js';
import { OperatorHeld } from './operator-held.js';
import { readTokenAnswer } from './token-answer.js';
import { UpstreamCalls } from './upstream-calls.js';

interface ServiceAccountConfig {
  readonly tokenUrl: string;
  readonly audience: string;
  /** Absent: the key file says it. */
  readonly clientEmail?: string;
  readonly keyId?: string;
  readonly algorithm: SigningAlg;
  /** `person_email`: tokens are had in the name of the person who is behind the agent. */
  readonly subject?: 'person_email';
  readonly scopeSeparator: ' ' | ',';
  readonly cacheAccessTokens: boolean;
  readonly secret: SecretPlace;
}

interface AccountKey {
  readonly pem: string;
  readonly clientEmail?: string;
  readonly keyId?: string;
}

const spelling = { inline: 'private_key', reference: 'private_key_ref' };
const separators = [' ', ','] as const;
const ASSERTION_SECONDS = 300;

/** An account of the operator's own at upstream, proven by a signature (RFC 7523 §2.1), as Google's service accounts are. */
@Injectable()
export class JwtBearerConnector extends OperatorHeld {
  readonly protocol = 'service_account';
  readonly inlineSecret = spelling.inline;

  constructor(
    private readonly calls: UpstreamCalls,
    private readonly secrets: ProviderSecrets,
    private readonly clock: Clock,
  ) {
    super();
  }

  check(configData: string, secret: SecretAtHand): SecretPlace {
    return this.#read(configData, secret).secret;
  }

  override async checkSecret({ configData }: Provider, secret: string): Promise<void> {
    const { algorithm, clientEmail } = this.#read(configData, { given: false, kept: true });
    try {
      const file = accountKey(secret);
      await importPrivate(file.pem, algorithm);
      if ((clientEmail ?? file.clientEmail) !== undefined) return;
    } catch (error) {
      if (!(error instanceof SigningKeyRefused) && !(error instanceof UpstreamMisconfigured)) throw error;
      const expectation = `must be an unencrypted private key for ${algorithm}, of 2048 bits at least if it is RSA: PEM, or the JSON file that has it`;
      throw new ProviderConfigWrong(spelling.inline, expectation);
    }
    throw new ProviderConfigWrong('client_email', 'is required, unless the JSON file of the key has it');
  }

  traits(provider: Provider): Traits {
    const { cacheAccessTokens, subject } = this.#config(provider);
    return { cacheAccessTokens, downscope: true, speaksForPeople: subject !== undefined };
  }

  async vend(
    provider: Provider,
    _credential: Credential | undefined,
    scopes: readonly string[],
    email?: string,
  ): Promise<UpstreamToken> {
    const config = this.#config(provider);
    const assertion = await this.#assertion(provider, config, scopes, email);
    try {
      const form = { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion };
      const answer = readTokenAnswer(await this.calls.postForm(config.tokenUrl, form), config.scopeSeparator);
      return { accessToken: answer.accessToken, expiresInSeconds: answer.expiresInSeconds, scopes: answer.scopes };
    } catch (error) {
      // Nobody but the operator can do anything about it.
      throw error instanceof UpstreamRefused ? new UpstreamMisconfigured(error.code) : error;
    }
  }

  async #assertion(
    provider: Provider,
    config: ServiceAccountConfig,
    scopes: readonly string[],
    email: string | undefined,
  ): Promise<string> {
    const { pem, clientEmail, keyId } = accountKey(await this.secrets.of(provider, config.secret));
    const issuer = config.clientEmail ?? clientEmail;
    if (issuer === undefined) throw new UpstreamMisconfigured('client_email_missing');
    if (config.subject && email === undefined) throw new UpstreamMisconfigured('person_without_email');
    const key = await importPrivate(pem, config.algorithm).catch((error: unknown) => {
      throw error instanceof SigningKeyRefused ? new UpstreamMisconfigured('private_key') : error;
    });
    const iat = Math.floor(this.clock.now().getTime() / 1000);
    return signJwt({ ...key, kid: config.keyId ?? keyId ?? key.kid }, 'JWT', {
      iss: issuer,
      aud: config.audience,
      iat,
      exp: iat + ASSERTION_SECONDS,
      jti: randomUUID(),
      ...(config.subject && { sub: email }),
      ...(scopes.length > 0 && { scope: scopes.join(config.scopeSeparator) }),
    });
  }

  #config({ configData, sealedSecret }: Provider): ServiceAccountConfig {
    return asConfigured(() => this.#read(configData, { given: false, kept: sealedSecret !== undefined }));
  }

  #read(configData: string, secret: SecretAtHand): ServiceAccountConfig {
    const defaults = { token_url: 'https://oauth2.googleapis.com/token' };
    const read = new ProviderConfig(configData, { defaults, allowHttp: this.calls.allowHttp });
    const tokenUrl = read.requiredUrl('token_url');
    const config: ServiceAccountConfig = {
      tokenUrl,
      audience: read.text('audience') ?? tokenUrl,
      clientEmail: read.text('client_email', { max: 320 }),
      keyId: read.text('private_key_id', { max: 256 }),
      algorithm: read.oneOf('algorithm', ['RS256', 'ES256']) ?? 'RS256',
      subject: read.oneOf('subject', ['person_email']),
      scopeSeparator: read.oneOf('scope_separator', separators) ?? ' ',
      cacheAccessTokens: read.flag('cache_access_tokens', true),
      secret: requireSecret(spelling, read.secretReference('private_key_ref', 'sa_key_env'), secret),
    };
    read.end();
    return config;
  }
}

/** PEM, or the JSON file in which Google gives a key. */
function accountKey(secret: string): AccountKey {
  if (!secret.trimStart().startsWith('{')) return { pem: secret };
  try {
    const file = JSON.parse(secret) as Readonly<Record<string, unknown>>;
    const text = (name: string): string | undefined => {
      const value = file[name];
      return typeof value === 'string' && value !== '' ? value : undefined;
    };
    return { pem: text('private_key') ?? '', clientEmail: text('client_email'), keyId: text('private_key_id') };
  } catch {
    // Without the cause: it quotes the key.
    throw new UpstreamMisconfigured('private_key');
  }
}
