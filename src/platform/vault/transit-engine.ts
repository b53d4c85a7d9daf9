import { Logger } from '@nestjs/common';
import { OAuthError } from '#libs/oauth';
import { vaultUnavailable, type VaultAnswer, type VaultClient } from './vault-client.js';
import type { VaultLogin } from './vault-login.js';

export interface TransitKey {
  readonly mountPath: string;
  readonly keyName: string;
}

/** What is asked of a key. Each is a right of its own, which a policy gives by the path. */
export type TransitOperation = 'encrypt' | 'decrypt' | 'sign' | 'read' | 'rotate';

const ofTheKeyItself: Partial<Record<TransitOperation, string>> = { read: '', rotate: '/rotate' };

export function transitPath({ mountPath, keyName }: TransitKey, operation: TransitOperation): string {
  const after = ofTheKeyItself[operation];
  return after === undefined ? `${mountPath}/${operation}/${keyName}` : `${mountPath}/keys/${keyName}${after}`;
}

/** One key of the Transit engine of HashiCorp Vault or OpenBao. */
export class TransitEngine {
  readonly #log = new Logger('Vault');
  #problem: { readonly text: string; readonly of?: TransitOperation } | undefined;

  constructor(
    private readonly client: VaultClient,
    private readonly login: VaultLogin,
    readonly key: TransitKey,
  ) {}

  /**
   * @param understood statuses beside 200 and 400 that the caller knows the meaning of
   * @throws OAuthError `vault_unavailable`, also where the token lacks the right
   */
  async ask(operation: TransitOperation, body: object = {}, understood: readonly number[] = []): Promise<VaultAnswer> {
    const path = transitPath(this.key, operation);
    const once = (token: string): Promise<VaultAnswer> =>
      operation === 'read' ? this.client.get(path, token) : this.client.post(path, body, token);
    const answer = await this.#allowed(once).catch((error: unknown) => {
      if (error instanceof OAuthError) this.#tell({ text: String(error.facts.problem) });
      throw error;
    });
    if (understood.includes(answer.status)) return answer;
    if (answer.status === 403)
      throw this.away(operation, `permission denied: has the token ended, does its policy allow ${path}?`);
    if (answer.status === 404) throw this.away(operation, `there is no Transit engine at ${this.key.mountPath}`);
    if (answer.status === 200) this.#back(operation);
    return answer;
  }

  /** Vault answers, and this operation cannot be done with its answers. */
  away(operation: TransitOperation, problem: string): OAuthError {
    this.#tell({ text: problem, of: operation });
    return vaultUnavailable(problem);
  }

  async #allowed(once: (token: string) => Promise<VaultAnswer>): Promise<VaultAnswer> {
    const token = await this.login.token();
    const answer = await once(token);
    const another = answer.status === 403 ? await this.login.another(token) : undefined;
    return another === undefined ? answer : once(another);
  }

  /** When it begins and when it changes, not with every request. */
  #tell(problem: { readonly text: string; readonly of?: TransitOperation }): void {
    if (problem.text !== this.#problem?.text)
      this.#log.warn({ message: 'vault cannot be used', key: this.key.keyName, problem: problem.text });
    this.#problem = problem;
  }

  #back(operation: TransitOperation): void {
    if (!this.#problem || (this.#problem.of ?? operation) !== operation) return;
    this.#problem = undefined;
    this.#log.log({ message: 'vault can be used again', key: this.key.keyName });
  }
}

/** What Vault answered with; `{}` where there is nothing. */
export function dataOf({ body: { data } }: VaultAnswer): Readonly<Record<string, unknown>> {
  return typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : {};
}

export function textOf(answer: VaultAnswer, member: string): string | undefined {
  const value = dataOf(answer)[member];
  return typeof value === 'string' ? value : undefined;
}
