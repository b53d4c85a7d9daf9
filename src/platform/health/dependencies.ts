import { Injectable } from '@nestjs/common';

export type DependencyState = 'ok' | 'down';

/** What modules further right depend on, so that readiness can tell of it without knowing them. */
@Injectable()
export class Dependencies {
  readonly #checks = new Map<string, () => Promise<DependencyState>>();

  /** @param check is asked as often as anybody asks for readiness: it remembers its answer for a while, and never throws */
  add(name: string, check: () => Promise<DependencyState>): void {
    this.#checks.set(name, check);
  }

  async states(): Promise<Readonly<Record<string, DependencyState>>> {
    const asked = [...this.#checks].map(async ([name, check]) => [name, await check()] as const);
    return Object.fromEntries(await Promise.all(asked));
  }
}
