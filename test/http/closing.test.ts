import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { describe, it } from 'node:test';
import { testApp } from '../support/app.js';

describe('a server that closes', () => {
  it('waits for no connection on which nothing was asked', { timeout: 30_000 }, async (t) => {
    const { app } = await testApp(t);
    await app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = app.server.address() as AddressInfo;
    const opened = once(app.server, 'connection');
    const socket = connect(port, '127.0.0.1');
    t.after(() => socket.destroy());
    await opened;
    const closed = once(socket, 'close');
    await app.close();
    await closed;
    assert.equal(socket.bytesRead, 0);
  });
});
