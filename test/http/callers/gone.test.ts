import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RouteOptions } from 'fastify';
import { TINY_PICTURE } from '../../../src/http/intake/pictures.js';
import { face, unitVector } from '../../support/app.js';
import { door } from '../../support/door.js';
import { form } from '../../support/form.js';
import { greyJpeg } from '../../support/pictures.js';
import { openStream } from '../../support/stream-client.js';
import { until } from '../../support/until.js';

const timeout = 60_000;

/** Every address that has a picture looked at. */
async function calls(): Promise<[address: string, headers: string[], body: Buffer][]> {
  const picture = await greyJpeg();
  const json = (address: string, body: object): [string, string[], Buffer] => [
    address,
    ['content-type: application/json'],
    Buffer.from(JSON.stringify(body)),
  ];
  const asForm = async (
    address: string,
    ...parts: [string, string][]
  ): Promise<[string, string[], Buffer]> => {
    const { headers, payload } = await form(...parts, ['image', picture]);
    return [address, [`content-type: ${headers['content-type']}`], payload];
  };
  const image = TINY_PICTURE;
  return [
    ['/api/v1/detect', ['content-type: image/jpeg'], picture],
    json('/api/v1/detect', { image }),
    json('/api/v1/recognise', { images: [image, image] }),
    json('/api/v1/embed', { image }),
    json('/api/v1/verify', { probe: { image }, against: { image } }),
    json('/api/v1/people/default-new/faces?create=true', { image }),
    await asForm('/api/face_recognizer', ['deviceid', '']),
    await asForm('/api/face_register', ['groupid', 'default'], ['userid', 'new']),
    json('/api/v1/recognition/recognize', { file: image }),
    json('/api/v1/recognition/faces?subject=new', { file: image }),
    json('/api/v1/detection/detect', { file: image }),
    json('/api/v1/verification/verify', { source_image: image, target_image: image }),
  ];
}

describe('a client that hangs up', () => {
  it('ends nothing by an import of which only the begin came', { timeout }, async (t) => {
    let arrived: () => void = () => undefined;
    const onRoute = (route: RouteOptions) => {
      if (route.url !== '/api/v1/import') return;
      const arrive = async () => {
        arrived();
        await Promise.resolve();
      };
      route.preHandler = [...[route.preHandler ?? []].flat(), arrive];
    };
    const { app, key, begin } = await door(t, {}, { onRoute });
    const admin = await key('admin');
    const head = ['POST /api/v1/import HTTP/1.1', `x-api-key: ${admin}`, 'content-type: application/zip'];
    // So many turns after the handler has begun, in the first of which the archive's file is made.
    for (let turns = 0; turns < 12; turns += 1) {
      const isThere = new Promise<void>((resolve) => (arrived = resolve));
      const { socket, closed } = await begin([...head, 'content-length: 1000'], 'PK');
      await isThere;
      for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      socket.resetAndDestroy();
      await closed;
    }
    const alive = await app.inject('/api/v1/live');
    assert.equal(alive.statusCode, 200);
  });

  it('has its pictures dropped, whatever the surface, and enrols nobody', { timeout }, async (t) => {
    const { gallery, vision, key, begin, log } = await door(t);
    const admin = await key('admin');
    vision.faces = [face()];
    vision.gate = new Promise(() => undefined);
    for (const [address, headers, body] of await calls()) {
      vision.askedFor.length = 0;
      const head = [`POST ${address} HTTP/1.1`, `x-api-key: ${admin}`, `content-length: ${body.length}`];
      const { socket } = await begin([...head, ...headers], body);
      await until(() => vision.askedFor.length > 0);
      const [{ caller, signal }] = vision.askedFor;
      assert.match(caller ?? '', /^[0-9a-f]{10}$/, address);
      assert.equal(signal?.aborted, false, address);
      socket.destroy();
      await until(() => vision.askedFor.every((one) => one.signal?.aborted === true));
    }
    assert.equal(gallery.info().people, 0);
    assert.deepEqual(
      log.filter(({ level }) => Number(level) >= 40),
      [],
    );
  });

  it('after its picture was looked at enrols nobody either', { timeout }, async (t) => {
    const { gallery, vision, key, begin } = await door(t);
    const admin = await key('admin');
    await gallery.enrol({ groupid: 'default', userid: 'other' }, unitVector(2));
    vision.faces = [face()];
    let go: () => void = () => undefined;
    const nearest = t.mock.method(gallery, 'nearest', async () => {
      await new Promise<void>((resolve) => (go = resolve));
      return [];
    });
    const head = ['POST /api/v1/people/default-new/faces?create=true HTTP/1.1', `x-api-key: ${admin}`];
    const picture = await greyJpeg();
    const { socket, closed } = await begin(
      [...head, 'content-type: image/jpeg', `content-length: ${picture.length}`],
      picture,
    );
    await until(() => nearest.mock.callCount() > 0);
    socket.destroy();
    await closed;
    await until(() => vision.askedFor[0].signal?.aborted === true);
    go();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(await gallery.person('default-new'), undefined);
  });

  it('has the frames of its stream dropped', { timeout }, async (t) => {
    const { vision, key, port } = await door(t);
    vision.gate = new Promise(() => undefined);
    const client = await openStream(`ws://127.0.0.1:${port}/api/v1/stream`, {
      headers: { 'x-api-key': await key('recognise') },
    });
    client.socket.send(await greyJpeg());
    await until(() => vision.askedFor.length === 1);
    const [{ caller, signal }] = vision.askedFor;
    assert.match(caller ?? '', /^[0-9a-f]{10}$/);
    assert.equal(signal?.aborted, false);
    client.socket.terminate();
    await until(() => signal.aborted);
  });

  it('that waits for its answer is no such client', { timeout }, async (t) => {
    const { vision, key, connect } = await door(t);
    const admin = await key('admin');
    vision.faces = [face()];
    const connection = await connect();
    for (const [address, headers, body] of await calls()) {
      const head = [`POST ${address} HTTP/1.1`, `x-api-key: ${admin}`, `content-length: ${body.length}`];
      connection.send([...head, ...headers], body);
      const { status, text } = await connection.answer();
      assert.ok([200, 201, 409].includes(status), `${address}: ${status} ${text()}`);
      assert.ok(vision.askedFor.every(({ signal }) => signal?.aborted === false));
      await until(() => text().endsWith('}') || text().endsWith(']'));
      connection.skip();
    }
  });
});
