import { Injectable } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { Job } from './job.js';

/** Every kind of job there is, found among the providers of all modules. */
@Injectable()
export class Jobs {
  #known: ReadonlyMap<string, Job> | undefined;

  constructor(private readonly discovery: DiscoveryService) {}

  all(): readonly Job[] {
    return [...this.#map().values()];
  }

  of(name: string): Job | undefined {
    return this.#map().get(name);
  }

  #map(): ReadonlyMap<string, Job> {
    this.#known ??= new Map(
      this.discovery
        .getProviders()
        .map(({ instance }) => instance as unknown)
        .filter((instance) => instance instanceof Job)
        .map((job) => [job.name, job]),
    );
    return this.#known;
  }
}
