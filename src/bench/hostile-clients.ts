/**
 * The hostile clients, in a process of their own, forked by hostile.ts. They use raw connections over the loopback interface,
 * on which anything can be sent. Each repeats its attacks until it is told to end.
 */
import { setPriority } from 'node:os';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { HOSTILE, type HostileName, type HostileOrder, type HostileReport } from './hostile-order.js';
import { overlaidZip, zipBomb } from './hostile-zips.js';
import { createIdentities } from './vectors.js';

const report: HostileReport = { answers: {}, acknowledged: 0 };
let isOver = false;

interface Call {
  method?: string;
  path: string;
  key?: string | undefined;
  headers?: string[];
  body?: Uint8Array;
  /** How much of the body is sent, bytes; default: all. */
  sent?: number;
  /** Bytes sent each second after that. */
  trickle?: number;
  /** Hangs up after this time, milliseconds. */
  patience?: number;
  isChange?: boolean;
}

/** Sends a request and waits for the head of its answer, or hangs up. */
async function call(port: number, order: Call): Promise<void> {
  const { method = 'GET', path, key, headers = [], body, patience = 30_000 } = order;
  const socket: Socket = connect(port, '127.0.0.1');
  let text = '';
  let timer: NodeJS.Timeout | undefined;
  const ended = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      if (text.length < 100) text += chunk.toString('latin1');
      if (text.includes(' ')) resolve();
    });
    socket.once('close', () => resolve());
    socket.once('error', () => resolve());
  });
  const length = body ? [`content-length: ${body.length}`] : [];
  const credentials = key === undefined ? [] : [`x-api-key: ${key}`];
  socket.write(
    [`${method} ${path} HTTP/1.1`, 'host: localhost', ...credentials, ...length, ...headers, '', ''].join(
      '\r\n',
    ),
  );
  if (body) socket.write(body.subarray(0, order.sent));
  if (body && order.trickle) {
    let at = order.sent ?? body.length;
    timer = setInterval(() => {
      socket.write(body.subarray(at, (at += order.trickle ?? 1)));
    }, 1000);
  }
  await Promise.race([ended, sleep(patience)]);
  clearInterval(timer);
  socket.destroy();
  const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? (patience < 30_000 ? 'given up' : 'hung up');
  report.answers[status] = (report.answers[status] ?? 0) + 1;
  if (order.isChange && status.startsWith('2')) report.acknowledged += 1;
}

const many = (count: number, work: (n: number) => Promise<unknown>) =>
  Promise.all(Array.from({ length: count }, (_, n) => work(n)));

/** Slow bodies and unfinished sign-ins. */
async function slow(port: number, key: string): Promise<void> {
  const picture = Buffer.alloc(9_000_000);
  const type = (name: string) => [`content-type: ${name}`];
  await Promise.all([
    many(30, () =>
      call(port, {
        method: 'POST',
        path: '/api/v1/detect',
        key,
        headers: type('image/jpeg'),
        body: picture,
        sent: 500_000,
        trickle: 1000,
      }),
    ),
    many(100, () =>
      call(port, {
        method: 'POST',
        path: '/api/v1/session',
        headers: type('application/json'),
        body: picture.subarray(0, 990_000),
        sent: 900_000,
        trickle: 10,
      }),
    ),
    many(10, () =>
      call(port, {
        method: 'POST',
        path: '/nowhere',
        headers: type('application/json'),
        body: picture.subarray(0, 900_000),
        sent: 800_000,
        trickle: 10,
      }),
    ),
  ]);
}

/** Wrong keys, floods of calls with and without a key, long URLs, odd IDs. */
async function flood(port: number, key: string): Promise<void> {
  const junk = (n: number) => `${key.slice(0, 15)}${String(n).padStart(43, 'x')}`;
  await many(50, (n) => call(port, { path: '/api/v1/groups', key: junk(n) }));
  await many(50, () => call(port, { path: `/api/v1/people?search=${'x'.repeat(8000)}` }));
  const odd = ['..', '%00', '%2e%2e%2f', '-', 'a-', '__proto__', '%F0%9F%91%A9', 'x'.repeat(300), '%', '%ff'];
  await many(odd.length, (n) => call(port, { path: `/api/v1/people/${odd[n]}`, key }));
  await many(odd.length, (n) => call(port, { method: 'DELETE', path: `/api/${odd[n]}/${odd[n]}`, key }));
  await many(30, () => call(port, { path: '/api/v1/people?limit=1000', key }));
  const body = Buffer.from(`{"image":"${' '.repeat(200_000)}!"}`);
  const json = ['content-type: application/json'];
  await many(5, () => call(port, { method: 'POST', path: '/api/v1/detect', key, headers: json, body }));
  const fields = Buffer.from(`{${Array.from({ length: 200_000 }, (_, i) => `"k${i}":1`).join(',')}}`);
  await many(3, () =>
    call(port, { method: 'POST', path: '/api/v1/detect', key, headers: json, body: fields }),
  );
}

/** Large pictures, abandoned after a moment. */
async function abort(port: number, key: string, pictures: readonly Buffer[]): Promise<void> {
  await many(24, (n) =>
    call(port, {
      method: 'POST',
      path: '/api/v1/recognise',
      key,
      headers: ['content-type: image/jpeg'],
      body: pictures[n % pictures.length],
      patience: 700,
    }),
  );
}

/** Event streams and exports requested by HEAD, a great many listeners, zip bombs, and changes in between. */
async function crowd(
  port: number,
  key: string,
  bombs: { png: Buffer; zip: Buffer },
  turn: number,
): Promise<void> {
  await many(100, () => call(port, { method: 'HEAD', path: '/api/v1/events', key, patience: 1000 }));
  await many(20, () => call(port, { method: 'HEAD', path: '/api/v1/export', key, patience: 1000 }));
  const feeds = many(120, () => call(port, { path: '/api/v1/events', key, patience: 3000 }));
  const exports = many(5, () => call(port, { path: '/api/v1/export', key, patience: 500 }));
  const upgrade = ['connection: upgrade', 'upgrade: websocket', 'sec-websocket-version: 13'];
  const streams = many(70, () =>
    call(port, {
      path: '/api/v1/stream',
      key,
      patience: 3000,
      headers: [...upgrade, 'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA=='],
      // The beginning of a frame of 15 MB.
      body: Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0xe4, 0xe1, 0xc0, 1, 2, 3, 4, ...Buffer.alloc(9000)]),
    }),
  );
  const bytes = ['content-type: image/png'];
  await many(4, () =>
    call(port, { method: 'POST', path: '/api/v1/detect', key, headers: bytes, body: bombs.png }),
  );
  const zip = ['content-type: application/zip'];
  await call(port, { method: 'POST', path: '/api/v1/import', key, headers: zip, body: bombs.zip });
  const groupid = `hostile${turn}`;
  const headers = ['content-type: application/json'];
  const change = (method: string, path: string, body?: object) =>
    call(port, {
      method,
      path,
      key,
      isChange: true,
      ...(body && { headers, body: Buffer.from(JSON.stringify(body)) }),
    });
  await change('POST', '/api/v1/groups', { groupid });
  await change('POST', '/api/v1/people', { groupid, userid: 'a' });
  await change('PATCH', `/api/v1/people/${groupid}-a`, { username: 'Somebody' });
  await change('DELETE', `/api/v1/people/${groupid}-a`);
  await change('DELETE', `/api/v1/groups/${groupid}`);
  await Promise.all([feeds, exports, streams]);
}

const SEARCH = '/api/v1/recognition/embeddings/recognize';

/** Calls that ask for more than they need, as a script does whose author had a small gallery: no malice in it. */
async function careless(
  port: number,
  key: string,
  bodies: { few: Buffer; many: Buffer },
  zips: readonly Buffer[],
): Promise<void> {
  const json = ['content-type: application/json'];
  const search = (count: number, body: Buffer) =>
    call(port, { method: 'POST', path: `${SEARCH}?prediction_count=${count}`, key, headers: json, body });
  await many(4, () => search(1000, bodies.many));
  await many(4, () => search(10, bodies.many));
  await many(4, () => search(1000, bodies.few));
  const zip = ['content-type: application/zip'];
  for (const body of zips)
    await call(port, { method: 'POST', path: '/api/v1/import', key, headers: zip, body });
  await many(4, () => call(port, { path: '/api/v1/people?sort=newest&limit=200', key }));
}

/** A search for this many made faces. */
function searchFor(count: number, length: number): Buffer {
  const made = createIdentities(length, count);
  const embeddings = Array.from({ length: count }, () => Array.from(made.direction()));
  return Buffer.from(JSON.stringify({ embeddings }));
}

/** A picture of 12 megapixels of noise and, where there are photographs, one with a great many small faces. */
async function largePictures(): Promise<Buffer[]> {
  const noise = { type: 'gaussian', mean: 128, sigma: 40 } as const;
  const create = { width: 4000, height: 3000, channels: 3, background: '#808080', noise } as const;
  return [await sharp({ create }).jpeg({ quality: 60 }).toBuffer()];
}

async function run({ port, keys, who, numbers }: HostileOrder): Promise<void> {
  const pictures = await largePictures();
  const png = await sharp({ create: { width: 16_000, height: 16_000, channels: 3, background: '#000' } })
    .png({ compressionLevel: 9 })
    .toBuffer();
  const bombs = { png, zip: zipBomb() };
  const searches = { few: searchFor(10, numbers), many: searchFor(1000, numbers) };
  const zips = [bombs.zip, overlaidZip()];
  const again = async (work: (turn: number) => Promise<void>) => {
    for (let turn = 0; !isOver; turn++) await work(turn);
  };
  process.send?.('ready');
  const works: Record<HostileName, (key: string, turn: number) => Promise<void>> = {
    slow: (key) => slow(port, key),
    flood: (key) => flood(port, key),
    abort: (key) => abort(port, key, pictures),
    careless: (key) => careless(port, key, searches, zips),
    crowd: (key, turn) => crowd(port, key, bombs, turn),
  };
  await Promise.all(who.map((name) => again((turn) => works[name](keys[HOSTILE.indexOf(name)], turn))));
}

// They stand for other machines, so they only get the time that the server leaves.
setPriority(19);
const reports = setInterval(() => process.send?.(report), 1000);
process.on('message', (message: HostileOrder | 'end') => {
  if (message === 'end') isOver = true;
  else {
    void run(message).then(() => {
      clearInterval(reports);
      process.send?.(report, () => process.disconnect());
    });
  }
});
