import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** An address that leads to one server now and to another later, as a DNS name or a virtual IP does: what is connected stays where it is. */
export interface PortSwitch {
  readonly port: number;
  /** For connections that are made from now on. */
  point(port: number): void;
  /** From now on everything that is sent vanishes, and nobody is told; new connections too. */
  swallow(): void;
  /** The line is good again; what was swallowed is lost, and its connections with it. */
  restore(): void;
  stop(): Promise<void>;
}

export async function startPortSwitch(target: number): Promise<PortSwitch> {
  let [to, swallowing] = [target, false];
  const open = new Set<Socket>();
  const relay = (from: Socket, into: Socket): void => {
    open.add(from);
    from.on('data', (data) => {
      if (!swallowing) into.write(data);
    });
    from.on('error', () => {});
    from.on('close', () => {
      open.delete(from);
      if (!swallowing) into.destroy();
    });
  };
  const server = createServer((caller) => {
    if (swallowing) {
      open.add(caller.on('error', () => {}));
      return;
    }
    const callee = connect(to, '127.0.0.1');
    relay(caller, callee);
    relay(callee, caller);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    for (const socket of open) socket.destroy();
    open.clear();
  };
  return {
    port: (server.address() as AddressInfo).port,
    point: (port) => {
      to = port;
    },
    swallow: () => {
      swallowing = true;
    },
    restore: () => {
      cut();
      swallowing = false;
    },
    stop: async () => {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
