import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createExample, type ExampleOptions } from '../examples/mcp-server/app.js';

export interface RunningExample {
  readonly resource: string;
  close(): Promise<void>;
}

/** A free port first, so that the resource can be registered under its URI before the example starts. */
export async function startExample(
  register: (resource: string) => Promise<Omit<ExampleOptions, 'resource'>>,
): Promise<RunningExample> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const resource = `http://localhost:${(server.address() as AddressInfo).port}/mcp`;
  server.on('request', createExample({ resource, ...(await register(resource)) }));
  return {
    resource,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve, reject) => server.close((error) => (error ? reject(error) : resolve())));
    },
  };
}
