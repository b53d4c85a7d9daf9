import type { Environment } from './settings-reader.js';

/** The server's own settings of that beginning: what it shows to Vault must not become a secret that some provider is shown. */
const OWN = /^AUTHPLANE_VAULT_(?:ADDR$|NAMESPACE$|TOKEN$|TIMEOUT$|APPROLE_|TRANSIT_)/;

/** What a reference must look like before the environment is looked at, so that a row cannot name the server's own secrets. */
const SECRET_REFERENCE = /^(?:CONNECTOR_|AUTHPLANE_VAULT_)[A-Z][A-Z0-9_]*$/;

const MAX_NAME = 128;

/** What is said of a name that is not one. */
export const secretReferenceRule =
  'must name a variable CONNECTOR_… or AUTHPLANE_VAULT_…, and there none of the server: ADDR, NAMESPACE, TOKEN, TIMEOUT, APPROLE_…, TRANSIT_…';

/** Secrets that the database only names: the environment holds them. */
export class SecretReferences {
  readonly #env: Environment;

  constructor(env: Environment) {
    this.#env = env;
  }

  /** @returns undefined when the name is none of those that may be read, or the variable is not set */
  read(name: string): string | undefined {
    return isSecretReference(name) ? this.#env[name] || undefined : undefined;
  }
}

export const isSecretReference = (name: string): boolean =>
  name.length <= MAX_NAME && SECRET_REFERENCE.test(name) && !OWN.test(name);
