import { createServer, connect, type Server, type Socket } from 'node:net';
import { join } from 'node:path';

/** The database through a socket of our own in `directory`, which can be cut. */
export async function cuttable<C extends { readonly host: string; readonly port: number }>(
  connection: C,
  directory: string,
): Promise<{ connection: C; cut: () => Promise<void> }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((inbound) => {
    const outbound = connect(join(connection.host, `.s.PGSQL.${connection.port}`));
    for (const socket of [inbound, outbound]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    inbound.pipe(outbound).pipe(inbound);
  });
  const path = join(directory, `.s.PGSQL.${connection.port}`);
  await new Promise<void>((listening) => server.listen(path, listening));
  const cut = async (): Promise<void> => {
    const closed = new Promise((done) => server.close(done));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return { connection: { ...connection, host: directory }, cut };
}
