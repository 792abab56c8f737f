/** Whoever is deleted is in no file and in no key of Redis any more, searched byte by byte. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { Redis } from 'ioredis';
import Libsql from 'libsql';
import { openJournal } from '../src/batch/journal.js';
import type { Receipt } from '../src/http/receipts.js';
import { form } from './support/form.js';
import { portrait } from './support/photographs.js';
import { REDIS_MISSING, REDIS_PASSWORD, startRedis } from './support/redis.js';
import { startServer, type TestServer } from './support/server.js';
import { temporaryFolder } from './support/temporary.js';
import { until } from './support/until.js';

const NAME = 'Xanthippe Őrségi 纐纈🦉';
const ID = 'xq7zv';
const FACEID = `default-${ID}`;
const NOTE = 'Quaxlibar drawer';
const PACK = 'faceapi';

/** What must not be found: by name, some bytes of it. */
type Needles = Map<string, Buffer>;

/** Some bytes from the middle: of what is longer, others may stand in between in a database. */
const piece = (bytes: Buffer, length = 48) => bytes.subarray(bytes.length >> 1, (bytes.length >> 1) + length);

/** Where needles are: `file needle`, sorted. */
async function findInFiles(folders: readonly string[], needles: Needles): Promise<string[]> {
  const found: string[] = [];
  for (const folder of folders)
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      const file = path.join(entry.parentPath, entry.name);
      const name = path.relative(folder, file);
      const bytes = entry.isFile() ? await readFile(file).catch(() => Buffer.alloc(0)) : Buffer.alloc(0);
      for (const [what, needle] of needles)
        if (bytes.includes(needle) || Buffer.from(name).includes(needle)) found.push(`${name}: ${what}`);
    }
  return found.sort();
}

/** The same of a Redis database: keys and values of every kind. */
async function findInRedis(redis: Redis, needles: Needles): Promise<string[]> {
  const found: string[] = [];
  for (const key of await redis.keys('*')) {
    const type = await redis.type(key);
    const read: Record<string, () => Promise<unknown[]>> = {
      string: async () => [await redis.getBuffer(key)],
      hash: async () => Object.entries(await redis.hgetallBuffer(key)).flat(),
      set: () => redis.smembersBuffer(key),
      list: () => redis.lrangeBuffer(key, 0, -1),
      stream: async () => (await redis.xrangeBuffer(key, '-', '+')).flat(3),
    };
    const values = [Buffer.from(key), ...(await (read[type] ?? (() => Promise.resolve([])))())];
    for (const [what, needle] of needles)
      if (values.some((value) => Buffer.from((value ?? '') as Buffer).includes(needle)))
        found.push(`${key}: ${what}`);
  }
  return found.sort();
}

interface Place {
  server: TestServer;
  folders: string[];
  needles: Needles;
  embeddings: string;
}

/** A server on which somebody is enrolled and seen, and about whom something is kept wherever something can be. */
async function lived(t: TestContext, more: Record<string, string> = {}): Promise<Place> {
  const folder = await temporaryFolder(t);
  const [embeddings, cache] = [path.join(folder, 'embeddings'), path.join(folder, 'cache')];
  const server = await startServer({
    ...{ MODEL_PACK: PACK, EMBEDDINGS_DIR: embeddings, CACHE_DIR: cache },
    ...{ SIGHTINGS: 'true', KEEP_SIGHTINGS: 'true', KEEP_FACES: 'true', VISIT_GAP: '1' },
    ...more,
  });
  t.after(() => server.end('SIGKILL'));
  const ok = ({ status, body }: { status: number; body: unknown }) => {
    assert.ok(status < 300, JSON.stringify(body));
    return body;
  };
  const [picture, other] = [await portrait('ann'), await portrait('bea')];
  const consent = `consentGiven=2024-05-02&consentHow=form&consentNote=${encodeURIComponent(NOTE)}`;
  const fields = [
    ['image', picture],
    ['image', await portrait('ann', { mirrored: true })],
    ['username', NAME],
  ] as [string, string | Buffer][];
  const enrolled = ok(
    await server.post(`/api/v1/people/${FACEID}/faces?create=true&${consent}`, await form(...fields)),
  ) as { results: { face: { id: string } }[] };
  ok(await server.post('/api/v1/corrections', await form(['faceid', FACEID], ['image', other])));
  ok(await server.post('/api/v1/recognise?deviceid=door', await form(['image', picture])));
  const fieldsOfMaiface = await form(['image', picture], ['deviceid', 'door1']);
  const seen = ok(await server.post('/api/face_recognizer', fieldsOfMaiface)) as { userid: string }[];
  assert.equal(seen[0].userid, ID);
  await until(async () => {
    const { body } = await server.get(`/api/v1/sightings?faceid=${FACEID}`);
    return (body as { sightings: { isOpen: boolean }[] }).sightings.some(({ isOpen }) => !isOpen);
  });
  // As a batch writes it, and as one of an earlier version did.
  const journal = await openJournal(path.join(cache, 'batch'), ['a place']);
  const item = { groupid: 'default', userid: ID, name: 'a.jpg', file: 'a.jpg' };
  const face = enrolled.results[0].face.id;
  journal.add(item, 'hash', { outcome: 'enrolled', face, named: journal.mark(NAME) });
  journal.close();
  const earlier = JSON.stringify({ key: 'k', outcome: 'enrolled', face, username: NAME });
  await (await import('node:fs/promises')).appendFile(journal.file, `${earlier}\n`);

  const needles: Needles = new Map([
    ['name', Buffer.from(NAME)],
    ['name in JSON', Buffer.from(JSON.stringify(NAME).slice(1, -1))],
    ['name in ASCII JSON', Buffer.from('Xanthippe \\u0150rs')],
    ['note', Buffer.from(NOTE)],
  ]);
  const name = more.EMBEDDING_STORE === 'redis' ? `${PACK}.shared.db` : `${PACK}.db`;
  const db = new Libsql(path.join(embeddings, 'sightings', name), { readonly: true });
  const rows = db.prepare('SELECT vector, crop FROM best').all([]) as Record<
    'vector' | 'crop',
    ArrayBuffer
  >[];
  db.close();
  assert.ok(rows.length > 0);
  for (const [i, { vector, crop }] of rows.entries()) {
    needles.set(`vector of sighting ${i}`, piece(Buffer.from(vector)));
    needles.set(`picture of sighting ${i}`, piece(Buffer.from(crop)));
  }
  return { server, folders: [embeddings, cache], needles, embeddings };
}

async function remove({ server }: Place): Promise<Receipt> {
  const answer = await server.delete(`/api/v1/people/${FACEID}`);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body as Receipt;
}

const counts = ({ erased }: Receipt) =>
  Object.fromEntries(erased.map(({ what, where, count }) => [`${what} in ${where}`, count]));

describe('whoever is deleted', () => {
  it('is in no file any more but by the ID where the receipt says so', async (t) => {
    const place = await lived(t);
    const { server, folders, needles, embeddings } = place;
    const own = path.join(embeddings, PACK, FACEID);
    for (const name of await readdir(own)) {
      const bytes = await readFile(path.join(own, name));
      if (name !== 'person.json') needles.set(`file ${path.extname(name)} ${name.slice(-6)}`, piece(bytes));
    }
    assert.ok(needles.size >= 4 + 2 + 6, [...needles.keys()].join());
    const before = await findInFiles(folders, needles);
    for (const what of needles.keys())
      if (what !== 'name in ASCII JSON')
        assert.ok(
          before.some((line) => line.endsWith(`: ${what}`)),
          `${what} is found while it is there: ${before.join()}`,
        );

    const receipt = await remove(place);
    assert.deepEqual(await findInFiles(folders, needles), []);
    const {
      'sightings in sightings': sightings,
      'sightingPictures in sightings': crops,
      ...rest
    } = counts(receipt);
    assert.ok(sightings >= 1 && crops >= 1);
    assert.deepEqual(rest, {
      'people in disk': 1,
      'faces in disk': 2,
      'faces in index': 2,
      'pictures in disk': 3,
      'corrections in disk': 1,
      'corrections in index': 1,
      'journalLines in cache': 2,
    });
    // What is excepted is named: the ID in the event log and in the audit log.
    const ids = new Map([['ID', Buffer.from(ID)]]);
    const places = new Set((await findInFiles(folders, ids)).map((line) => line.split(/[/:]/)[0]));
    assert.deepEqual([...places], ['events', 'audit.jsonl'].sort(), [...places].join());
    const held = receipt.held.map(({ where }) => where);
    assert.ok(held.includes('event log') && held.includes('audit log') && held.includes('backups'));
    const audit = await readFile(path.join(embeddings, 'audit.jsonl'), 'utf8');
    assert.match(audit, new RegExp(`"receipt":"${receipt.receipt}".*"erased":\\{[^}]*"people":1,"faces":2`));
    assert.equal(await server.end(), 0);
    assert.deepEqual(await findInFiles(folders, needles), [], 'nor after the end');
  });

  it('is in no key of Redis any more', { skip: REDIS_MISSING }, async (t) => {
    const { settings } = await startRedis(t);
    const place = await lived(t, {
      ...{ EMBEDDING_STORE: 'redis', EVENT_LOG: 'redis', REDIS_URL: settings.url, EVENT_MAX_AGE: '60' },
      ...{ REDIS_PASSWORD, ENABLE_DETECT_DB: 'true', DETECT_EXPIRE: '3600' },
    });
    const { folders, needles } = place;
    const { port } = new URL(settings.url);
    const connect = (db: number) => new Redis(Number(port), '127.0.0.1', { password: REDIS_PASSWORD, db });
    const databases = [connect(0), connect(2)];
    t.after(() => databases.forEach((redis) => redis.disconnect()));
    const [gallery, detections] = databases;
    for (const key of await gallery.keys('*:face:*')) {
      const { vector, picture } = await gallery.hgetallBuffer(key);
      needles.set(`vector of ${key.slice(-6)}`, piece(vector));
      needles.set(`picture of ${key.slice(-6)}`, piece(picture));
    }
    assert.ok(needles.size >= 4 + 2 + 6, [...needles.keys()].join());
    assert.ok((await findInRedis(gallery, needles)).length >= 8);
    assert.equal((await detections.keys(`*_${FACEID}`)).length, 1);

    const receipt = await remove(place);
    assert.deepEqual(await findInRedis(gallery, needles), []);
    assert.deepEqual(await findInFiles(folders, needles), []);
    const ids = new Map([['ID', Buffer.from(ID)]]);
    assert.deepEqual(await findInRedis(detections, ids), []);
    const places = (await findInRedis(gallery, ids)).map((line) => line.slice(line.indexOf('}:') + 2));
    assert.deepEqual(places, ['events: ID']);
    const rest = Object.entries(counts(receipt)).filter(([what]) => !what.startsWith('sighting'));
    assert.deepEqual(Object.fromEntries(rest), {
      'people in redis': 1,
      'faces in redis': 2,
      'faces in index': 2,
      'pictures in redis': 3,
      'corrections in redis': 1,
      'corrections in index': 1,
      'detections in detect log': 1,
      'journalLines in cache': 2,
    });
    const held = receipt.held.map(({ where }) => where);
    assert.ok(held.includes('event log') && held.includes('redis files'));
  });
});
