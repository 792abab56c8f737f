import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it } from 'node:test';
import { greyJpeg } from '../support/pictures.js';
import { startServer } from '../support/server.js';
import { openStream } from '../support/stream-client.js';
import { temporaryFolder } from '../support/temporary.js';

describe('the stream of the built server', () => {
  it('answers frames over wss, says bye at SIGTERM, and the server ends with 0', async (t) => {
    const folder = await temporaryFolder(t);
    const server = await startServer({
      ...{ MODEL_PACK: 'faceapi', AUTH: 'none' },
      EMBEDDINGS_DIR: path.join(folder, 'embeddings'),
      CACHE_DIR: path.join(folder, 'cache'),
    });
    t.after(() => server.end());
    const { ca } = server.agent.options;
    const client = await openStream(`wss://localhost:${server.port}/api/v1/stream`, { ca });
    const hello = await client.told('hello');
    assert.equal(hello.pack.id, 'faceapi');
    const answer = await client.ask(await greyJpeg(640, 360));
    assert.ok(answer.type === 'frame');
    assert.deepEqual([answer.width, answer.height, answer.faces], [640, 360, []]);
    assert.ok(answer.times.detect > 0);

    for (let i = 0; i < 3; i++) client.socket.send(await greyJpeg(640, 360));
    server.child.kill('SIGTERM');
    assert.equal(await client.closed, 1001);
    assert.equal(client.received.at(-1)?.type, 'bye');
    assert.equal(await server.end(), 0);
  });
});
