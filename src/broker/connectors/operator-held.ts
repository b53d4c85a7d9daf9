import { Connector, type ConnectedAccount } from './connector.js';

/** A credential of the operator's that serves everybody: nobody connects an account, and upstream is not told when somebody leaves. */
export abstract class OperatorHeld extends Connector {
  readonly connects = false;

  connectUrl(): Promise<string> {
    throw new Error(`nobody connects an account of protocol ${this.protocol}`);
  }

  finish(): Promise<ConnectedAccount> {
    throw new Error(`nobody connects an account of protocol ${this.protocol}`);
  }

  async revoke(): Promise<void> {}
}
