import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { before, describe, it, type TestContext } from 'node:test';
import fastify from 'fastify';
import { createKeys } from '../../src/access/keys.js';
import type { Config } from '../../src/settings/config.js';
import { KaomonError } from '../../src/platform/errors.js';
import type { App } from '../../src/http/app-type.js';
import { registerWebsocket } from '../../src/http/plugins/websocket.js';
import { createDecision } from '../../src/identity/decision.js';
import { createServices } from '../../src/http/services.js';
import { streamRoutes } from '../../src/http/v1/stream.js';
import { face, PACK, type TestApp, testApp, unitVector } from '../support/app.js';
import { greyJpeg } from '../support/pictures.js';
import { openStream, type StreamClient } from '../support/stream-client.js';

interface Stand extends TestApp {
  host: string;
  url: string;
  connect: (options?: Parameters<typeof openStream>[1]) => Promise<StreamClient>;
}

async function stand(t: TestContext, settings: Partial<Config> = {}): Promise<Stand> {
  const made = await testApp(t, settings);
  await made.app.listen({ host: '127.0.0.1', port: 0 });
  const host = `127.0.0.1:${(made.app.server.address() as AddressInfo).port}`;
  const url = `ws://${host}/api/v1/stream`;
  return {
    ...made,
    host,
    url,
    async connect(options) {
      const client = await openStream(url, options);
      t.after(() => client.socket.terminate());
      return client;
    },
  };
}

/** A gate for the scripted vision: frames that are being worked on wait for it. */
function gate(): { open: () => void; closed: Promise<void> } {
  let open: () => void = () => undefined;
  const closed = new Promise<void>((resolve) => (open = resolve));
  return { open, closed };
}

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 2000 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(holds(), String(holds));
}

const status = (error: unknown) => (error as { status?: number }).status;

describe('the stream', () => {
  let jpeg: Buffer;
  before(async () => (jpeg = await greyJpeg(320, 240)));

  it('greets, and answers each frame by its number with who is in it', async (t) => {
    const { connect, gallery, vision, config } = await stand(t);
    await gallery.createGroup({ groupid: 'staff', groupname: 'The staff' });
    await gallery.enrol({ groupid: 'staff', userid: 'ken', username: 'Ken' }, unitVector(0));
    vision.faces = [face(100, 0.1), face(50, 1)];
    const client = await connect();
    assert.deepEqual(await client.told('hello'), {
      type: 'hello',
      protocol: 1,
      pack: { id: 'tiny', title: 'A pack for tests' },
      thresholds: createDecision({ pack: PACK, config, gallery }).meaning(),
      maxInFlight: 2,
    });
    await client.ask(jpeg);
    const answer = await client.ask(jpeg);
    assert.ok(answer.type === 'frame');
    const { frame, width, height, faces, times } = answer;
    assert.deepEqual([frame, width, height], [1, 320, 240]);
    assert.deepEqual(Object.keys(times).sort(), ['decode', 'detect', 'embed', 'queue', 'search']);
    const [known, unknown] = faces;
    assert.ok(Math.abs((known.distance ?? 9) - 0.1) < 1e-5);
    assert.deepEqual(
      { ...known, distance: 0, track: 0 },
      {
        ...{ track: 0, x: 10, y: 10, width: 100, height: 100, probability: 0.99, distance: 0, sure: true },
        ...{ odds: null, oddsAtMost: false, thumbnail: null },
        ...{ faceid: 'staff-ken', userid: 'ken', username: 'Ken', groupid: 'staff', groupname: 'The staff' },
      },
    );
    assert.deepEqual(
      [unknown.faceid, unknown.userid, unknown.groupname, unknown.sure],
      ['', null, null, false],
    );
    assert.notEqual(known.track, unknown.track);
  });

  it('works on the newest frame when it is behind, and says of each older one that it was skipped', async (t) => {
    const { connect, vision } = await stand(t);
    const hold = gate();
    vision.gate = hold.closed;
    const client = await connect();
    client.socket.send(jpeg);
    await until(() => vision.asked.length === 1);
    for (let i = 0; i < 5; i++) client.socket.send(jpeg);
    await client.told('skipped', ({ frame }) => frame === 4);
    assert.equal(vision.asked.length, 1, 'one frame of a connection is in the vision queue at a time');
    hold.open();
    await client.told('frame', ({ frame }) => frame === 5);
    const answers = client.received.slice(1).map((m) => [m.type, 'frame' in m && m.frame]);
    assert.deepEqual(
      answers.sort((a, b) => Number(a[1]) - Number(b[1])),
      [
        ['frame', 0],
        ['skipped', 1],
        ['skipped', 2],
        ['skipped', 3],
        ['skipped', 4],
        ['frame', 5],
      ],
    );
  });

  it('gives each connection one place in the queue, however many frames it sends', async (t) => {
    const { connect, vision } = await stand(t);
    const hold = gate();
    vision.gate = hold.closed;
    const greedy = await connect();
    const modest = await connect();
    for (let i = 0; i < 20; i++) greedy.socket.send(jpeg);
    await greedy.told('skipped', ({ frame }) => frame === 18);
    modest.socket.send(jpeg);
    await until(() => vision.asked.length === 2);
    hold.open();
    await modest.told('frame');
    await greedy.told('frame', ({ frame }) => frame === 19);
    assert.equal(vision.asked.length, 3);
  });

  it('answers a bad frame by an error with its number, and goes on', async (t) => {
    const { connect, vision, log } = await stand(t, { MAX_UPLOAD_BYTES: 10_000 });
    const client = await connect();
    const code = async (bytes: Uint8Array) => {
      const answer = await client.ask(bytes);
      return answer.type === 'error' ? [answer.frame, answer.code] : answer.type;
    };
    assert.deepEqual(await code(Buffer.from('%PDF-1.7')), [0, 'IMAGE_FORMAT_UNKNOWN']);
    assert.deepEqual(await code(jpeg.subarray(0, 400)), [1, 'IMAGE_UNREADABLE']);
    assert.deepEqual(await code(Buffer.alloc(0)), [2, 'IMAGE_FORMAT_UNKNOWN']);
    assert.deepEqual(await code(Buffer.alloc(10_001)), [3, 'UPLOAD_TOO_LARGE']);
    vision.failure = new KaomonError('BUSY', 'Too many pictures are waiting.', { retryAfter: 2 });
    const busy = await client.ask(jpeg);
    assert.deepEqual(busy, {
      ...{ type: 'error', frame: 4, code: 'BUSY' },
      ...{ message: 'Too many pictures are waiting.', retryAfter: 2 },
    });
    vision.failure = new Error('a secret path');
    const fault = await client.ask(jpeg);
    assert.equal(fault.type === 'error' && fault.code, 'INTERNAL');
    assert.doesNotMatch(JSON.stringify(fault), /secret/);
    assert.ok(
      log.some(({ msg, err }) => msg === 'A frame failed' && JSON.stringify(err).includes('a secret path')),
      'the log has the reason',
    );
    vision.failure = undefined;
    assert.equal(await code(jpeg), 'frame');
  });

  it('cuts off a client whose message is far larger than a frame may be', async (t) => {
    const { connect } = await stand(t, { MAX_UPLOAD_BYTES: 10_000 });
    const client = await connect();
    client.socket.send(Buffer.alloc(100_000));
    assert.equal(await client.closed, 1009);
  });

  it('takes options, each until it is said anew, and refuses what it does not know', async (t) => {
    const { connect, vision } = await stand(t);
    vision.faces = [
      {
        ...face(),
        landmarks: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10.06),
        quality: { size: 100, sharpness: 40, brightness: 120 },
      },
    ];
    const client = await connect();
    const first = await client.ask(jpeg);
    assert.equal(first.type === 'frame' && 'landmarks' in first.faces[0], false);
    assert.equal(vision.asked.at(-1)?.minFaceSize, 40);
    client.options({ landmarks: true, minFaceSize: 60 });
    client.options({ quality: true });
    const second = await client.ask(jpeg);
    assert.ok(second.type === 'frame');
    assert.deepEqual(second.faces[0].landmarks, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10.1]);
    assert.equal(second.faces[0].quality?.sharpness, 40);
    assert.equal(vision.asked.at(-1)?.minFaceSize, 60);
    assert.equal(vision.asked.at(-1)?.quality, true);

    const cases: [text: string, code: string][] = [
      ['{"type":', 'BODY_UNREADABLE'],
      ['{"type":"options","colour":"red"}', 'FIELD_INVALID'],
      ['{"type":"options","minFaceSize":3}', 'FIELD_INVALID'],
      ['[]', 'FIELD_INVALID'],
      [JSON.stringify({ type: 'options', groups: Array(2000).fill('a'.repeat(60)) }), 'UPLOAD_TOO_LARGE'],
    ];
    for (const [text] of cases) client.socket.send(text);
    await until(() => client.received.filter(({ type }) => type === 'error').length === cases.length);
    const errors = client.received.filter((m) => m.type === 'error');
    assert.deepEqual(
      errors.map(({ code }) => code),
      cases.map(([, code]) => code),
    );
    assert.ok(errors.every((error) => !('frame' in error)));
    assert.equal((await client.ask(jpeg)).type, 'frame');
  });

  it('names people of the asked groups only', async (t) => {
    const { connect, gallery, vision } = await stand(t);
    for (const groupid of ['staff', 'guests']) await gallery.createGroup({ groupid, groupname: groupid });
    await gallery.enrol({ groupid: 'staff', userid: 'ken' }, unitVector(0));
    await gallery.enrol({ groupid: 'guests', userid: 'mia' }, unitVector(0.2));
    vision.faces = [face(100, 0)];
    const client = await connect();
    const named = async () => {
      const answer = await client.ask(jpeg);
      return answer.type === 'frame' && answer.faces[0].faceid;
    };
    client.options({ track: false });
    assert.equal(await named(), 'staff-ken');
    client.options({ groups: ['guests'] });
    assert.equal(await named(), 'guests-mia');
    // Nobody, or everybody? Neither: what was asked for before goes on.
    client.options({ groups: [] });
    assert.equal(await named(), 'guests-mia');
    assert.equal((await client.told('error')).code, 'FIELD_INVALID');
  });

  it('is refused to pages of other sites, and open to its own, to listed ones and to programs', async (t) => {
    const { connect, host } = await stand(t, { STREAM_ORIGINS: 'https://a.test,https://b.test:8443' });
    for (const origin of ['https://evil.test', `http://${host}.evil.test`, 'null', 'https://a.test:444']) {
      await assert.rejects(connect({ origin }), (error) => status(error) === 403, origin);
    }
    for (const origin of [undefined, `https://${host}`, 'https://b.test:8443']) {
      const client = await connect(origin === undefined ? {} : { origin });
      await client.told('hello');
    }
  });

  it('knows its own pages behind a proxy, whatever the proxy calls this server, and only where it is trusted', async (t) => {
    const headers = { host: 'backend.internal', 'x-forwarded-host': 'kaomon.test' };
    const options = { origin: 'https://kaomon.test', headers: { ...headers, 'x-forwarded-proto': 'https' } };
    const ALLOWED_HOSTS = 'backend.internal,kaomon.test';
    const trusted = await stand(t, { TRUST_PROXY: 'loopback', ALLOWED_HOSTS });
    const client = await trusted.connect(options);
    await client.told('hello');
    const alone = await stand(t, { ALLOWED_HOSTS });
    await assert.rejects(alone.connect(options), (error) => status(error) === 403);
  });

  it('asks whoever shows a key for no origin, which a page cannot do; to others CORS_ORIGINS opens nothing', async (t) => {
    const { connect, config } = await stand(t, { AUTH: 'key', CORS_ORIGINS: 'https://a.test' });
    const { key } = await createKeys({ file: config.KEYS_FILE }).add({ name: 'app', role: 'recognise' });
    const client = await connect({ origin: 'https://a.test', headers: { 'x-api-key': key } });
    await client.told('hello');
    const open = await stand(t, { CORS_ORIGINS: 'https://a.test' });
    await assert.rejects(open.connect({ origin: 'https://a.test' }), (error) => status(error) === 403);
  });

  it('opens no more connections than the setting allows, and takes a new one when one has gone', async (t) => {
    const { connect } = await stand(t, { MAX_STREAMS: 2 });
    const first = await connect();
    await connect();
    await assert.rejects(connect(), (error) => status(error) === 503);
    first.socket.close();
    await first.closed;
    let third: StreamClient | undefined;
    for (let i = 0; i < 200 && !third; i++) third = await connect().catch(() => undefined);
    assert.ok(third, 'the place is free again');
  });

  it('is no address for a plain request', async (t) => {
    const { app } = await stand(t);
    const { statusCode, body } = await app.inject('/api/v1/stream');
    assert.equal(statusCode, 404);
    assert.match(body, /WebSocket/);
  });

  it('says bye and closes with 1001 when the server ends, in the middle of a frame too', async (t) => {
    const { app, connect, vision } = await stand(t);
    const hold = gate();
    vision.gate = hold.closed;
    const busy = await connect();
    const idle = await connect();
    busy.socket.send(jpeg);
    await until(() => vision.asked.length === 1);
    const closing = app.close();
    for (const client of [busy, idle]) {
      assert.equal(await client.closed, 1001);
      assert.equal(client.received.at(-1)?.type, 'bye');
    }
    hold.open();
    await closing;
    await assert.rejects(connect());
  });

  it('ends although a client does not answer its goodbye', async (t) => {
    const { app, connect } = await stand(t);
    const client = await connect();
    client.socket.pause();
    await app.close();
  });

  it('drops a peer that is gone without a word, and keeps a silent one that answers pings', async (t) => {
    const { vision, gallery, config } = await testApp(t);
    const app: App = fastify();
    t.after(() => app.close());
    await registerWebsocket(app, 1_000_000);
    app.decorateRequest('caller', {
      getter: () => ({
        name: 'nobody',
        keyId: '',
        role: 'admin' as const,
        groups: undefined,
        via: 'none' as const,
      }),
    });
    app.decorate('endWithKey', () => () => undefined);
    const services = createServices({ config, vision, gallery, pack: PACK, log: app.log });
    t.after(() => services.metrics.close());
    streamRoutes(app, services, 600);
    await app.listen({ host: '127.0.0.1', port: 0 });
    const url = `ws://127.0.0.1:${(app.server.address() as AddressInfo).port}/api/v1/stream`;
    const gone = await openStream(url, { autoPong: false });
    const alive = await openStream(url);
    let pings = 0;
    alive.socket.on('ping', () => (pings += 1));
    assert.equal(await gone.closed, 1006);
    await until(() => pings >= 6);
    assert.equal((await alive.ask(jpeg)).type, 'frame');
  });

  it('takes no more frames from a client that does not read its answers, until it does', async (t) => {
    const { app, connect, vision } = await stand(t);
    vision.faces = Array.from({ length: 400 }, (_, i) => ({
      ...face(),
      box: { x1: i * 20, y1: 0, x2: i * 20 + 18, y2: 18 },
    }));
    const client = await connect();
    client.options({ track: false });
    await client.told('hello');
    client.socket.pause();
    const [socket] = app.websocketServer.clients;
    let sent = 0;
    for (; sent < 200 && !socket.isPaused; sent++) {
      client.socket.send(jpeg);
      await until(() => vision.asked.length > sent || socket.isPaused);
    }
    assert.ok(socket.isPaused, 'nothing more is read');
    client.socket.resume();
    assert.equal((await client.ask(jpeg)).type, 'frame');
    await until(() => client.received.length === sent + 2);
  });
});
