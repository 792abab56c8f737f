import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { it, type TestContext } from 'node:test';
import type { Gallery } from '../../src/gallery/types.js';
import { face, testApp, unitVector, workersGalleries } from '../support/app.js';
import { form } from '../support/form.js';
import { greyJpeg } from '../support/pictures.js';
import { openStream } from '../support/stream-client.js';
import { until } from '../support/until.js';

const URL = '/api/v1/corrections';
/** How far the wrong face is from Ada's. */
const WRONG = 0.2;

/** A worker before whose camera the wrong face is. */
async function worker(t: TestContext, gallery: Gallery) {
  const { app, vision } = await testApp(t, {}, { gallery });
  vision.faces = [face(100, WRONG)];
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const stream = await openStream(`ws://127.0.0.1:${port}/api/v1/stream`);
  t.after(() => stream.socket.terminate());
  const image = await greyJpeg();
  return {
    app,
    async recognised(): Promise<string[]> {
      const sent = await form(['image', image]);
      const answer = await app.inject({ method: 'POST', url: '/api/v1/recognise', ...sent });
      const [found] = answer.json<{ faces: { matches: { faceid: string }[] }[] }>().faces;
      return found.matches.map(({ faceid }) => faceid);
    },
    /** Whom the stream names in the next frame. */
    async streamed(): Promise<string | null | undefined> {
      const answer = await stream.ask(image);
      assert.ok(answer.type === 'frame', JSON.stringify(answer));
      return answer.faces[0].faceid;
    },
  };
}

it('"not this person", said at one of three workers, is heeded by recognition and streams of all, until it is undone', async (t) => {
  const galleries = await workersGalleries(t, 3);
  await galleries[0].enrol({ groupid: 'default', userid: 'ada', username: '雪' }, unitVector(0));
  const workers = await Promise.all(galleries.map((gallery) => worker(t, gallery)));
  const [first, ...others] = workers;
  const all = async (isNamed: boolean) => {
    for (const one of others) {
      await until(async () => (await one.recognised()).length > 0 === isNamed);
      await until(async () => ((await one.streamed()) === 'default-ada') === isNamed);
    }
  };
  await all(true);
  assert.equal(await first.streamed(), 'default-ada');

  const said = await first.app.inject({
    ...{ method: 'POST', url: URL },
    ...(await form(['image', await greyJpeg()], ['faceid', 'default-ada'])),
  });
  assert.equal(said.statusCode, 201, said.body);
  assert.deepEqual(await first.recognised(), [], 'at once where it was said');
  assert.notEqual(await first.streamed(), 'default-ada', 'by the next frame');
  await all(false);

  // Another worker than the one that it was said to takes it back.
  const { id } = said.json<{ id: string }>();
  assert.equal((await others[1].app.inject({ method: 'DELETE', url: `${URL}/${id}` })).statusCode, 204);
  assert.deepEqual(await others[1].recognised(), ['default-ada']);
  await until(async () => (await first.recognised()).length === 1);
  await until(async () => (await first.streamed()) === 'default-ada');
  await all(true);
});
