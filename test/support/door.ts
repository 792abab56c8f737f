import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { createKeys, type NewKey } from '../../src/access/keys.js';
import type { AppDeps } from '../../src/app.js';
import type { Config } from '../../src/settings/config.js';
import { testApp, type TestApp } from './app.js';
import { connectRaw, type RawConnection } from './raw-http.js';

/** The app on a port of its own, with keys, and connections on which anything can be said. */
export interface Door extends TestApp {
  port: number;
  /** Makes a key. */
  key: (role: NewKey['role']) => Promise<string>;
  connect: () => Promise<RawConnection>;
  /** Connects and begins a request whose body does not come. */
  begin: (head: readonly string[], body?: string | Uint8Array) => Promise<RawConnection>;
}

export async function door(
  t: TestContext,
  settings: Partial<Config> = {},
  deps: Partial<AppDeps> = {},
): Promise<Door> {
  const open = new Set<RawConnection>();
  // Before the app is closed, which waits for what is on its way.
  t.after(() => {
    for (const { socket } of open) socket.destroy();
  });
  const test = await testApp(t, { AUTH: 'key', ...settings }, deps);
  await test.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = test.app.server.address() as AddressInfo;
  const keys = createKeys({ file: test.config.KEYS_FILE });
  let made = 0;
  const connect = async () => {
    const connection = await connectRaw(port);
    open.add(connection);
    return connection;
  };
  return {
    ...test,
    port,
    connect,
    key: async (role) => (await keys.add({ name: `key ${++made}`, role })).key,
    async begin(head, body) {
      const connection = await connect();
      connection.send(head, body);
      return connection;
    },
  };
}
