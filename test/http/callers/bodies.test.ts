import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { door } from '../../support/door.js';
import { connectRaw, type RawConnection } from '../../support/raw-http.js';
import { openStream } from '../../support/stream-client.js';
import { until } from '../../support/until.js';

/** What is waited for comes at once; what was kept waiting for ever before did not come. */
const timeout = 60_000;

const upload = (key: string, length: number, type = 'image/jpeg') => [
  'POST /api/v1/detect HTTP/1.1',
  `x-api-key: ${key}`,
  `content-type: ${type}`,
  `content-length: ${length}`,
];

describe('bytes in flight', () => {
  const small = { MAX_UPLOAD_BYTES: 100_000, MAX_BYTES_IN_FLIGHT: 4_000_000 };

  it(
    'have a budget, of which a caller gets its share, and somebody else still something',
    { timeout },
    async (t) => {
      const { app, key, begin } = await door(t, small);
      const keys = await Promise.all([1, 2, 3, 4].map(() => key('recognise')));
      // 4 MB: ten unfinished uploads of 400 kB at most, of one caller seven.
      const open = async (key: string) => {
        const connections = await Promise.all(
          Array.from({ length: 12 }, () => begin(upload(key, 400_000), 'x')),
        );
        const refused: Awaited<ReturnType<RawConnection['answer']>>[] = [];
        for (const { answer } of connections) {
          void answer().then(
            (one) => refused.push(one),
            () => undefined,
          );
        }
        return { connections, refused };
      };
      const first = await open(keys[0]);
      await until(() => first.refused.length === 5);
      const second = await open(keys[1]);
      await until(() => second.refused.length >= 10);
      for (const { status, headers } of first.refused) {
        assert.equal(status, 429);
        assert.ok(Number(headers['retry-after']) > 0);
      }
      const third = await begin(upload(keys[2], 400_000));
      const fourth = await begin(upload(keys[3], 400_000));
      const full = await Promise.race([third.answer(), fourth.answer()]);
      assert.equal(full.status, 503);
      assert.ok(Number(full.headers['retry-after']) > 0);
      // What has ended is given back.
      for (const { socket } of [...first.connections, ...second.connections, third, fourth]) socket.destroy();
      const headers = { 'x-api-key': keys[3], 'content-type': 'image/jpeg' };
      const again = () =>
        app.inject({ method: 'POST', url: '/api/v1/detect', headers, payload: Buffer.alloc(400_000) });
      await until(async () => (await again()).statusCode === 413);
    },
  );

  it(
    'count JSON three times, and a body that does not say its length as it comes',
    { timeout },
    async (t) => {
      const { key, begin } = await door(t, small);
      const keys = [await key('recognise'), await key('recognise')];
      // The second would make 2.4 MB of the 3 that one caller may have, the third 3.6.
      const json = await Promise.all(
        [1, 2, 3].map(() => begin(upload(keys[0], 400_000, 'application/json'), '{')),
      );
      assert.equal((await Promise.race(json.map(({ answer }) => answer()))).status, 429);
      const chunked = [...upload(keys[1], 0).slice(0, 3), 'transfer-encoding: chunked'];
      const connections = await Promise.all(Array.from({ length: 6 }, () => begin(chunked)));
      const piece = 'x'.repeat(100_000);
      for (const { socket } of connections)
        socket.write(`${(400_000).toString(16)}\r\n${piece.repeat(4)}\r\n`);
      assert.ok([429, 503].includes((await Promise.race(connections.map(({ answer }) => answer()))).status));
    },
  );

  it('of frames count too: a stream that sends what there is no room for ends', { timeout }, async (t) => {
    const settings = { MAX_UPLOAD_BYTES: 1_000_000, MAX_BYTES_IN_FLIGHT: 1_000_000 };
    const { app, key, port, begin } = await door(t, settings);
    const keys = await Promise.all([1, 2, 3].map(() => key('recognise')));
    // A key that was verified before lets its requests in as they come. Were the second caller's upload let in before the
    // first one's last, that one would be refused, and there would be room for frames.
    for (const known of keys) await app.inject({ url: '/api/v1/people', headers: { 'x-api-key': known } });
    // 16 MB, the largest single request; nearly all of it is taken.
    await Promise.all(Array.from({ length: 3 }, () => begin(upload(keys[0], 3_900_000))));
    await begin(upload(keys[1], 3_900_000));
    const client = await openStream(`ws://127.0.0.1:${port}/api/v1/stream`, {
      headers: { 'x-api-key': keys[2] },
    });
    t.after(() => client.socket.terminate());
    let isClosed = false;
    void client.closed.then(() => (isClosed = true));
    await until(() => {
      client.socket.send(Buffer.alloc(1_800_000));
      return isClosed;
    }, 20_000);
  });
});

describe('who has not said who it is', () => {
  it('may send 2 kB to sign in, and is answered before the rest has come', { timeout }, async (t) => {
    const { begin } = await door(t);
    const head = ['POST /api/v1/session HTTP/1.1', 'content-type: application/json'];
    const declared = await begin([...head, 'content-length: 990000'], '{"key":"');
    assert.equal((await declared.answer()).status, 413);
    const chunked = await begin([...head, 'transfer-encoding: chunked']);
    chunked.socket.write(`1000\r\n${'x'.repeat(4096)}\r\n`);
    assert.equal((await chunked.answer()).status, 413);
  });

  it('is answered by the headers alone, whatever the address', { timeout }, async (t) => {
    const { begin } = await door(t);
    for (const [address, status] of [
      ['/api/v1/detect', 401],
      ['/api/face_recognizer', 401],
      ['/api/v1/recognition/recognize', 401],
      ['/api/v1/import', 401],
      ['/nowhere', 404],
      ['/api/v1/nowhere', 404],
    ] as const) {
      for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
        const unfinished = ['content-type: application/json', 'content-length: 900000'];
        const { answer } = await begin([`${method} ${address} HTTP/1.1`, ...unfinished], '{"a":');
        const got = await answer();
        assert.ok([status, 401, 405].includes(got.status), `${method} ${address}: ${got.status}`);
      }
    }
  });

  it('gets the answer although it goes on sending, up to a bound', { timeout }, async (t) => {
    const { begin } = await door(t, { MAX_UPLOAD_BYTES: 1_000_000 });
    const head = upload('kao_none', 900_000);
    const polite = await begin(head, 'x'.repeat(900_000));
    assert.equal((await polite.answer()).status, 401);
    // The connection goes on.
    polite.send(['GET /api/v1/live HTTP/1.1']);
    await until(() => (polite.socket.readableEnded ? '' : lastText(polite)).includes('"status":"ok"'));
    const endless = await begin([...head.slice(0, 3), 'transfer-encoding: chunked']);
    const piece = `${(65_536).toString(16)}\r\n${'x'.repeat(65_536)}\r\n`;
    const sending = setInterval(() => endless.socket.write(piece.repeat(10)), 20);
    t.after(() => clearInterval(sending));
    assert.equal((await endless.answer()).status, 401);
    await endless.closed;
  });
});

const texts = new WeakMap<RawConnection, () => string>();
function lastText(connection: RawConnection): string {
  if (!texts.has(connection)) {
    texts.set(connection, () => '');
    void connection.answer().then(({ text }) => texts.set(connection, text));
  }
  return texts.get(connection)?.() ?? '';
}

describe('a body that comes too slowly', () => {
  const kinds: [name: string, address: string, headers: string[], begun: string][] = [
    ['JSON', '/api/v1/detect', ['content-type: application/json', 'content-length: 5000'], '{"image":'],
    ['a picture', '/api/v1/detect', ['content-type: image/jpeg', 'content-length: 5000'], 'x'],
    [
      'a form',
      '/api/face_recognizer',
      ['content-type: multipart/form-data; boundary=x', 'content-length: 5000'],
      '--x\r\ncontent-disposition: form-data; name="image"; filename="a"\r\n\r\nabc',
    ],
    [
      'a form of v1',
      '/api/v1/detect',
      ['content-type: multipart/form-data; boundary=x', 'transfer-encoding: chunked'],
      '3\r\n--x\r\n',
    ],
    [
      'CompreFace',
      '/api/v1/recognition/recognize',
      ['content-type: application/json', 'content-length: 500'],
      '{',
    ],
    ['an archive', '/api/v1/import', ['content-type: application/zip', 'content-length: 5000'], 'PK'],
    ['a sign-in', '/api/v1/session', ['content-type: application/json', 'content-length: 100'], '{'],
  ];
  for (const [name, address, headers, begun] of kinds) {
    it(`is given up: ${name}`, { timeout }, async (t) => {
      const { key, begin } = await door(t, {}, { bodyWindow: 100 });
      const admin = await key('admin');
      const head = [`POST ${address} HTTP/1.1`, `x-api-key: ${admin}`, ...headers];
      const connection = await begin(head, begun);
      const { status, headers: told } = await connection.answer();
      assert.equal(status, 408);
      assert.equal(told.connection, 'close');
      await connection.closed;
    });
  }

  it('is not one that is fast enough, however long it takes', { timeout }, async (t) => {
    const { key, begin } = await door(t, { MIN_BODY_RATE: 1000 }, { bodyWindow: 400 });
    const connection = await begin(upload(await key('recognise'), 200_000), 'x');
    for (let sent = 1; sent < 200_000;) {
      const piece = Math.min(10_000, 200_000 - sent);
      connection.socket.write('x'.repeat(piece));
      sent += piece;
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    assert.equal((await connection.answer()).status, 415);
  });
});

it(
  'more connections than there may be are hung up on, and one address leaves some to others',
  { timeout },
  async (t) => {
    const { connect, port } = await door(t, { MAX_CONNECTIONS: 8 });
    const connections = await Promise.all(Array.from({ length: 8 }, connect));
    const live = ['GET /api/v1/live HTTP/1.1'];
    for (const connection of connections.slice(0, 6)) {
      connection.send(live);
      assert.equal((await connection.answer()).status, 200);
    }
    await Promise.all(connections.slice(6).map(({ closed }) => closed));
    connections[0].socket.destroy();
    await until(async () => {
      const one = await connectRaw(port);
      one.send(live);
      const status = await one.answer().then(
        (answer) => answer.status,
        () => 0,
      );
      one.socket.destroy();
      return status === 200;
    });
  },
);
