import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { pino } from 'pino';
import { connectRaw } from '../support/raw-http.js';
import { TINY_PICTURE } from '../../src/http/intake/pictures.js';
import { hugePng, truncatedJpeg } from '../support/pictures.js';
import { type Operation, readDocument, seededApp } from '../support/seeded-app.js';
import { everybody } from '../support/galleries.js';

/** How many malformed calls; the default is for every day, 20,000 for a release. */
const RUNS = Number(process.env.FUZZ_CALLS ?? 1500);
/** What the heap may be larger after the second half of the calls than after the first, bytes. */
const GROWTH = 8_000_000;
/** The one 5xx that may come: the server says itself that it cannot now. */
const DELIBERATE = 503;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

interface Call {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD' | 'OPTIONS';
  url: string;
  headers: Record<string, string>;
  payload?: Buffer;
  operation: Operation;
  manner: (typeof MANNERS)[number];
}

/** How a call is made: whole; its body breaks off and nothing more comes; its client hangs up at once, or half-way. */
const MANNERS = ['whole', 'half', 'hung up', 'hung up half-way'] as const;
/** A body that stands still for so long is given up, milliseconds. */
const PATIENCE = 150;

const text = fc.oneof(
  fc.constantFrom(
    'staff-ada',
    'default-ken',
    'staff',
    'ada',
    '',
    '..',
    '-',
    'a-b-c',
    '__proto__',
    'true',
    '0',
    'NaN',
  ),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ maxLength: 300 }),
  fc.integer().map(String),
  fc.double().map(String),
);

/** Without halves of surrogate pairs, which no address can hold. */
const wellFormed = (raw: string) => Buffer.from(raw).toString();

const MEDIA_TYPES = [
  'application/json',
  'application/json; charset=utf-16',
  'image/jpeg',
  'application/octet-stream',
  'application/zip',
  'multipart/form-data',
  'multipart/form-data; boundary=x',
  'text/plain',
  'application/x-www-form-urlencoded',
  '',
  'nonsense',
];

const boundary = 'x';
const part = fc
  .record({
    name: fc.oneof(
      fc.constantFrom('image', 'file', 'userid', 'groupid', 'username', 'force', '__proto__'),
      text,
    ),
    file: fc.boolean(),
    type: fc.constantFrom('', 'image/jpeg', 'application/json', 'text/plain'),
    value: fc.oneof(text, fc.constant(TINY_PICTURE)),
  })
  .map(({ name, file, type, value }) => {
    const disposition = `form-data; name="${name.replace(/[\r\n"]/g, '')}"${file ? '; filename="p.jpg"' : ''}`;
    const kind = type && `\r\nContent-Type: ${type}`;
    return `--${boundary}\r\nContent-Disposition: ${disposition}${kind}\r\n\r\n${value}\r\n`;
  });
const multipart = fc
  .record({ parts: fc.array(part, { maxLength: 20 }), closed: fc.boolean() })
  .map(({ parts, closed }) => Buffer.from(parts.join('') + (closed ? `--${boundary}--\r\n` : '')));

/** A document's example with one of its values replaced. */
const mutated = (example: unknown) =>
  fc.tuple(fc.nat(20), fc.oneof(fc.jsonValue({ maxDepth: 3 }), text)).map(([which, value]) => {
    if (typeof example !== 'object' || example === null) return value;
    const keys = Object.keys(example);
    return { ...example, [keys[which % (keys.length + 1)] ?? 'other']: value };
  });

function bodyOf(operation: Operation, bytes: Buffer[]): fc.Arbitrary<{ type?: string; payload?: Buffer }> {
  const example = operation.requestBody?.content['application/json']?.example ?? { groupid: 'staff' };
  const json = fc.oneof(mutated(example), fc.jsonValue({ maxDepth: 4 }), fc.constant(example));
  return fc.oneof(
    { arbitrary: fc.constant({}), weight: 1 },
    {
      arbitrary: json.map((value) => ({
        type: 'application/json',
        payload: Buffer.from(JSON.stringify(value)),
      })),
      weight: 4,
    },
    {
      arbitrary: multipart.map((payload) => ({ type: 'multipart/form-data; boundary=x', payload })),
      weight: 3,
    },
    {
      arbitrary: fc.record({
        type: fc.constantFrom(...MEDIA_TYPES),
        payload: fc.oneof(
          fc.uint8Array({ maxLength: 200 }).map((raw) => Buffer.from(raw)),
          text.map((raw) => Buffer.from(raw)),
          fc.constantFrom(...bytes),
          multipart,
        ),
      }),
      weight: 3,
    },
  );
}

function callOf(operation: Operation, bytes: Buffer[]): fc.Arbitrary<Call> {
  const { path, parameters = [] } = operation;
  const names = parameters.filter(({ in: where }) => where === 'query').map(({ name }) => name);
  const inPath = parameters.filter(({ in: where }) => where === 'path');
  const known = fc.constantFrom(...(names.length > 0 ? names : ['none']));
  return fc
    .record({
      method: fc.oneof(
        { arbitrary: fc.constant(operation.method as Call['method']), weight: 8 },
        { arbitrary: fc.constantFrom('HEAD' as const, 'OPTIONS' as const), weight: 1 },
      ),
      manner: fc.oneof(
        { arbitrary: fc.constant('whole' as const), weight: 40 },
        { arbitrary: fc.constantFrom(...MANNERS), weight: 4 },
      ),
      values: fc.array(text, { minLength: inPath.length, maxLength: inPath.length }),
      coded: fc.boolean(),
      query: fc.array(fc.tuple(fc.oneof(known, text), text), { maxLength: 4 }),
      body: bodyOf(operation, bytes),
      headers: fc.dictionary(fc.constantFrom('accept', 'x-request-id', 'range', 'if-none-match'), text, {
        maxKeys: 2,
      }),
    })
    .map(({ method, manner, values, coded, query, body, headers }) => {
      let url = path;
      inPath.forEach(({ name }, i) => {
        // Half of them as they are: broken codes, slashes, spaces.
        const raw = wellFormed(values[i]).replace(/[^\x21-\x7e]/g, '%');
        url = url.replace(`{${name}}`, () => (coded ? encodeURIComponent(wellFormed(values[i])) : raw));
      });
      const search = query
        .map((pair) => pair.map((value) => encodeURIComponent(wellFormed(value))).join('='))
        .join('&');
      const clean = Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name, value.replace(/[^\x20-\x7e]/g, '')]),
      );
      return {
        method,
        manner,
        url: search ? `${url}?${search}` : url,
        headers: { ...clean, ...(body.type !== undefined && { 'content-type': body.type }) },
        ...(body.payload && { payload: body.payload }),
        operation,
      };
    });
}

it(`answers ${RUNS} malformed calls by what is wrong with them, and grows by none`, async (t) => {
  const test = await seededApp(
    t,
    { MAX_UPLOAD_BYTES: 100_000, RATE_LIMIT: 0, MAX_EVENT_LISTENERS: 8 },
    { logger: pino({ level: 'silent' }), bodyWindow: PATIENCE },
  );
  const { app, gallery } = test;
  const { operations } = await readDocument(test);
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const bytes = [await truncatedJpeg(), hugePng(2000), Buffer.alloc(150_000), Buffer.from('PK\x03\x04')];
  const anyCall = fc.constantFrom(...operations).chain((operation) => callOf(operation, bytes));
  const statuses = new Map<number, number>();
  const undeclared = new Set<string>();
  const heaps: number[] = [];
  let calls = 0;

  /** What the calls did enrol is no growth of the server's. */
  async function measure(): Promise<void> {
    for (const { groupid } of gallery.groups()) {
      if (groupid !== 'default') await gallery.removeGroup(groupid, { withPeople: true });
    }
    for (const { groupid, userid } of await everybody(gallery)) await gallery.remove(groupid, userid);
    await gallery.createGroup({ groupid: 'staff', groupname: 'Staff' });
    await gallery.createPerson({ groupid: 'staff', userid: 'ada', username: 'Ada' });
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
    heaps.push(process.memoryUsage().heapUsed + process.memoryUsage().external);
  }

  /** @returns the answer's status */
  async function inject({ method, url, headers, payload }: Call): Promise<number> {
    const call = { method, url, headers, ...(payload && { payload }) };
    const answer = await app.inject({ ...call, payloadAsStream: true });
    const stream = answer.stream();
    await stream.resume().toArray();
    return answer.statusCode;
  }

  /** Over a connection of its own. @returns the answer's status; undefined when nobody waited for it */
  async function breakOff({ method, url, headers, payload, manner }: Call): Promise<number | undefined> {
    const connection = await connectRaw(port);
    const length = payload?.length ?? 0;
    const sent = manner === 'hung up' ? length : Math.floor(length / 2);
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    const head = [`${method} ${url} HTTP/1.1`, ...lines, `content-length: ${length}`];
    connection.send(head, payload?.subarray(0, sent));
    let status: number | undefined;
    if (manner === 'half') ({ status } = await connection.answer());
    else await new Promise((resolve) => setImmediate(resolve));
    connection.socket.destroy();
    await connection.closed;
    return status;
  }

  async function answers(call: Call): Promise<void> {
    const { operation, method } = call;
    // A stream of events has no end but its connection's.
    const manner = call.manner === 'whole' && operation.path === '/api/v1/events' ? 'half' : call.manner;
    const statusCode = await (manner === 'whole' ? inject(call) : breakOff({ ...call, manner }));
    calls += 1;
    if (calls % Math.ceil(RUNS / 4) === 0) await measure();
    if (statusCode === undefined) return;
    statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1);
    assert.ok(statusCode < 500 || statusCode === DELIBERATE, `${call.method} ${call.url}: ${statusCode}`);
    // What Node's parser refuses has reached no operation; nor has a method of ours that it does not have, nor what a
    // parameter like `..` made another address of.
    const isItsOwn = method === operation.method && manner === 'whole' && statusCode !== 405;
    if (isItsOwn && !(statusCode in operation.responses))
      undeclared.add(`${operation.method} ${operation.path} ${statusCode}`);
  }

  await fc.assert(fc.asyncProperty(anyCall, answers), {
    numRuns: RUNS,
    seed: Number(process.env.FUZZ_SEED ?? 20260131),
    // Calls change the gallery: what failed is reported as it was.
    endOnFailure: true,
  });
  t.diagnostic(`statuses ${JSON.stringify([...statuses].sort())}`);
  t.diagnostic(`heap after each quarter, MB: ${heaps.map((heap) => (heap / 1e6).toFixed(1)).join(', ')}`);
  assert.deepEqual([...undeclared].sort(), [], 'every status is declared');
  // Whoever hung up has left no place taken.
  for (let n = 0; n < 6; n++) {
    const answer = await app.inject({ url: '/api/v1/events', payloadAsStream: true });
    assert.equal(answer.statusCode, 200);
    t.after(() => answer.stream().destroy());
  }
  const archive = await app.inject('/api/v1/export');
  assert.equal(archive.statusCode, 200);
  assert.ok(heaps[3] - heaps[1] < GROWTH, `the heap grew: ${heaps.join(', ')}`);
});
