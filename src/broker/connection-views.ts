import { Injectable } from '@nestjs/common';
import { ConnectionViewStore } from './connection-view.store.js';
import type { ConnectionQuery, ConnectionView } from './connection-view.js';

/** How everybody's connections are, for the operator. */
@Injectable()
export class ConnectionViews {
  constructor(private readonly store: ConnectionViewStore) {}

  list(query: ConnectionQuery): Promise<ConnectionView[]> {
    return this.store.list(query);
  }

  /** Everything a person ever connected, newest first. */
  historyOfUser(userId: string): Promise<ConnectionView[]> {
    return this.store.list({ userId, limit: 1000 });
  }

  /** Those that are not over. */
  count(): Promise<number> {
    return this.store.count();
  }
}
