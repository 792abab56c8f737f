import assert from 'node:assert/strict';
import path from 'node:path';
import { writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { runBatch } from '../../src/batch/batch.js';
import { face, testApp, type TestApp } from '../support/app.js';
import { SETTINGS } from '../support/batch.js';
import { form } from '../support/form.js';
import { greyJpeg } from '../support/pictures.js';
import { openStream } from '../support/stream-client.js';
import { temporaryFolder } from '../support/temporary.js';

type Part = Parameters<typeof form>[0];
interface Way {
  name: string;
  /** For each picture that is looked at: whether it is for the gallery, or stands for an enrolled one. */
  views: boolean[];
  send: (test: TestApp, t: TestContext) => Promise<number>;
}

const post = async ({ app }: TestApp, url: string, ...parts: Part[]) =>
  (await app.inject({ method: 'POST', url, ...(await form(...parts)) })).statusCode;
const picture = await greyJpeg();
const RECOGNITION = '/api/v1/recognition';

/** All that looks at a picture and embeds its faces. */
const WAYS: Way[] = [
  {
    ...{ name: 'v1 enrolment', views: [true] },
    send: (test) => post(test, '/api/v1/people/default-ken/faces?create=true', ['image', picture]),
  },
  {
    ...{ name: 'maiface registration', views: [true] },
    send: (test) =>
      post(test, '/api/face_register', ['userid', 'ken'], ['groupid', 'default'], ['image', picture]),
  },
  {
    ...{ name: "CompreFace's examples", views: [true] },
    send: (test) => post(test, `${RECOGNITION}/faces?subject=ken`, ['file', picture]),
  },
  {
    ...{ name: "CompreFace's verification", views: [false, true] },
    send: (test) =>
      post(test, '/api/v1/verification/verify', ['source_image', picture], ['target_image', picture]),
  },
  {
    ...{ name: 'v1 verification', views: [false, true] },
    send: (test) => post(test, '/api/v1/verify', ['image', picture], ['image', picture]),
  },
  {
    ...{ name: 'v1 recognition', views: [false] },
    send: (test) => post(test, '/api/v1/recognise', ['image', picture]),
  },
  {
    ...{ name: 'v1 embeddings', views: [false] },
    send: (test) => post(test, '/api/v1/embed', ['image', picture]),
  },
  {
    ...{ name: 'maiface recognition', views: [false] },
    send: (test) => post(test, '/api/face_recognizer', ['image', picture], ['deviceid', '']),
  },
  {
    ...{ name: "CompreFace's recognition", views: [false] },
    send: (test) => post(test, `${RECOGNITION}/recognize`, ['file', picture]),
  },
  {
    ...{ name: 'a batch', views: [true] },
    async send({ vision, gallery }, t) {
      const file = path.join(await temporaryFolder(t), 'ken.jpg');
      await writeFile(file, picture);
      const items = [{ groupid: 'default', userid: 'ken', file, name: 'ken.jpg' }];
      const [{ outcome }] = await runBatch(items, { vision, gallery, ...SETTINGS });
      return outcome === 'enrolled' ? 200 : 422;
    },
  },
  {
    ...{ name: 'the stream', views: [false] },
    async send({ app }, t) {
      await app.listen({ host: '127.0.0.1', port: 0 });
      const { port } = app.server.address() as AddressInfo;
      const client = await openStream(`ws://127.0.0.1:${port}/api/v1/stream`);
      t.after(() => client.socket.terminate());
      return (await client.ask(picture)).type === 'frame' ? 200 : 500;
    },
  },
];

describe("A pack's views", () => {
  for (const { name, views, send } of WAYS) {
    const what = views.map((one) => (one ? 'all of them' : 'one look')).join(', then ');
    it(`${name}: ${what}`, async (t) => {
      const test = await testApp(t);
      test.vision.faces = [face(100, 0)];
      const status = await send(test, t);
      assert.ok(status === 200 || status === 201, `${status}`);
      assert.deepEqual(
        test.vision.asked.map((asked) => asked.views ?? false),
        views,
      );
    });
  }
});
