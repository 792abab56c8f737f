import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { readdir, readlink, utimes, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import { ZipFile } from 'yazl';
import { sweepArchives } from '../../../src/gallery/archive/nameless.js';
import { openZip } from '../../../src/gallery/archive/read-zip.js';
import { encodeNpy } from '../../../src/gallery/store/npy.js';
import { KaomonError } from '../../../src/platform/errors.js';
import { PACK, testApp, unitVector } from '../../support/app.js';
import { type AuditLine, written } from '../../support/audit-lines.js';
import { temporaryFolder } from '../../support/temporary.js';
import { until } from '../../support/until.js';
import { everybody } from '../../support/galleries.js';

const ZIP = { 'content-type': 'application/zip' };

async function app(t: TestContext, settings: Parameters<typeof testApp>[1] = {}) {
  return testApp(t, { CACHE_DIR: await temporaryFolder(t), ...settings });
}

async function full(t: TestContext) {
  const test = await app(t);
  const { gallery } = test;
  await gallery.createGroup({ groupid: 'staff', groupname: '職員' });
  const at = new Date('2026-01-31T09:00:00Z');
  const crop = Buffer.from('a PNG');
  await gallery.enrol({ groupid: 'staff', userid: 'ada', username: 'Ada', at, crop }, unitVector(0.3));
  await gallery.enrol({ groupid: 'staff', userid: 'ada', automatic: true }, unitVector(0.4));
  await gallery.updatePerson('staff-ada', { metadata: { room: 12 } });
  await gallery.enrol({ groupid: 'default', userid: 'ken' }, unitVector(2));
  await gallery.createPerson({ groupid: 'default', userid: 'far' });
  return test;
}

async function exported({ app: server }: Awaited<ReturnType<typeof full>>, query = ''): Promise<Buffer> {
  const answer = await server.inject(`/api/v1/export${query}`);
  assert.equal(answer.statusCode, 200);
  assert.equal(answer.headers['content-type'], 'application/zip');
  return answer.rawPayload;
}

async function take({ app: server }: Awaited<ReturnType<typeof full>>, payload: Buffer) {
  const answer = await server.inject({ method: 'POST', url: '/api/v1/import', headers: ZIP, payload });
  return {
    status: answer.statusCode,
    body: answer.json<Record<string, unknown> & { code?: string; message: string }>(),
  };
}

/** What people are, down to the IDs of their faces. */
function contents({ gallery }: Awaited<ReturnType<typeof full>>) {
  return everybody(gallery);
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

/** A zip of some entries as version 1 has them, with a manifest that fits unless another is given. */
async function zipOf(files: Record<string, Buffer | string>, manifest: object = {}): Promise<Buffer> {
  const zip = new ZipFile();
  const entries: Record<string, string> = {};
  for (const [name, content] of Object.entries(files)) {
    entries[name] = sha256(Buffer.from(content));
    zip.addBuffer(Buffer.from(content), name, { compress: content.length > 1000 });
  }
  const whole = {
    format: 'kaomon-gallery',
    version: 1,
    pack: PACK.id,
    length: 4,
    createdAt: '',
    entries,
    ...manifest,
  };
  zip.addBuffer(Buffer.from(JSON.stringify(whole)), 'manifest.json');
  zip.end();
  return buffer(zip.outputStream);
}

const person = JSON.stringify({ groupid: 'default', userid: 'eve', username: '', metadata: {} });
const groups = JSON.stringify([{ groupid: 'default', groupname: 'Default' }]);
const good = { 'groups.json': groups, 'people/default-eve/person.json': person };
const faceFile = 'people/default-eve/default-eve_20260131_090000_m0.npy';

describe('export and import', () => {
  it('carry the gallery over, and a second time change nothing', async (t) => {
    const from = await full(t);
    await from.gallery.correct('staff-ada', unitVector(1.2));
    const archive = await exported(from);
    const to = await app(t);
    const first = await take(to, archive);
    assert.deepEqual(first, {
      status: 200,
      body: {
        groups: { added: 1, skipped: 1 },
        people: { added: 3, skipped: 0 },
        faces: { added: 3, skipped: 0 },
        corrections: { added: 1, skipped: 0 },
      },
    });
    assert.deepEqual(await contents(to), await contents(from));
    assert.deepEqual(to.gallery.groups(), from.gallery.groups());
    const [match] = await to.gallery.nearest(unitVector(0.3), 1);
    assert.ok(match.distance < 1e-6);
    assert.deepEqual(
      Buffer.from((await to.gallery.picture('staff-ada', match.face.id)) ?? []).toString(),
      'a PNG',
    );
    const again = await take(to, archive);
    assert.deepEqual(again.body, {
      groups: { added: 0, skipped: 2 },
      people: { added: 0, skipped: 3 },
      faces: { added: 0, skipped: 3 },
      corrections: { added: 0, skipped: 1 },
    });
    assert.deepEqual(await contents(to), await contents(from));
    assert.deepEqual(to.gallery.corrections(), from.gallery.corrections());
  });

  it('go on where an import was broken off', async (t) => {
    const from = await full(t);
    const archive = await exported(from);
    const to = await app(t);
    await take(to, archive);
    await to.gallery.remove('default', 'ken');
    const [{ id }] = (await to.gallery.person('staff-ada'))?.faces ?? [];
    await to.gallery.removeFace('staff-ada', id);
    const { body } = await take(to, archive);
    assert.deepEqual(
      [body.people, body.faces],
      [
        { added: 1, skipped: 2 },
        { added: 2, skipped: 1 },
      ],
    );
    assert.deepEqual(await contents(to), await contents(from));
  });

  it('say how far an import is, to those who ask for it', async (t) => {
    const archive = await exported(await full(t));
    const to = await app(t);
    const headers = { ...ZIP, accept: 'application/x-ndjson' };
    const send = (payload: Buffer) =>
      to.app.inject({ method: 'POST', url: '/api/v1/import', headers, payload });
    const answer = await send(archive);
    assert.equal(answer.headers['content-type'], 'application/x-ndjson');
    const lines = answer.body
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, object>);
    assert.deepEqual(lines[0], { done: { people: 0, faces: 0 }, of: { people: 3, faces: 3 } });
    assert.deepEqual(lines.at(-1), {
      report: {
        groups: { added: 1, skipped: 1 },
        people: { added: 3, skipped: 0 },
        faces: { added: 3, skipped: 0 },
        corrections: { added: 0, skipped: 0 },
      },
    });
    const refused = await send(archive.subarray(0, 500));
    assert.deepEqual([refused.statusCode, refused.json<{ code: string }>().code], [400, 'ARCHIVE_INVALID']);
    // The next one may begin.
    assert.equal((await send(archive)).statusCode, 200);
  });

  it('are in the audit with whom they took, and how they ended, also where the answer says how far they are', async (t) => {
    const archive = await exported(await full(t));
    const to = await app(t);
    const headers = { ...ZIP, accept: 'application/x-ndjson' };
    const send = () =>
      to.app.inject({ method: 'POST', url: '/api/v1/import', headers, payload: Buffer.from(archive) });
    const ended = async (count: number) => {
      const isEnd = ({ outcome }: AuditLine) => outcome !== 'begun';
      const lines = await written(to, (all) => all.filter(isEnd).length === count);
      const { outcome, whom } = lines.filter(isEnd)[count - 1];
      return { outcome, groups: whom.groups, people: [whom.people ?? []].flat().sort() };
    };
    const restorePeople = to.gallery.restorePeople.bind(to.gallery);
    to.gallery.restorePeople = () => Promise.reject(new KaomonError('STORAGE_FULL', 'No room.'));
    const failed = await send();
    assert.match(failed.body, /"error":{"code":"STORAGE_FULL"/);
    assert.deepEqual(await ended(1), { outcome: 'failed', groups: ['staff'], people: [] });
    to.gallery.restorePeople = () => Promise.reject(new Error('EIO: /srv/embeddings'));
    const broken = await send();
    assert.match(
      broken.body,
      /"error":{"code":"INTERNAL","message":"The server failed\. Its log has the reason/,
    );
    assert.doesNotMatch(broken.body, /srv/);
    assert.equal((await ended(2)).outcome, 'failed');
    to.gallery.restorePeople = restorePeople;
    assert.match((await send()).body, /"report"/);
    const people = ['default-far', 'default-ken', 'staff-ada'];
    assert.deepEqual(await ended(3), { outcome: 'done', groups: undefined, people });
  });

  it('keep what CompreFace knows a face by', async (t) => {
    const imageIds = async ({ app: server }: Awaited<ReturnType<typeof full>>) => {
      const answer = await server.inject('/api/v1/recognition/faces?subject=ken');
      return answer.json<{ faces: { image_id: string }[] }>().faces.map((face) => face.image_id);
    };
    const from = await full(t);
    const to = await app(t);
    await take(to, await exported(from));
    const ids = await imageIds(from);
    assert.equal(ids.length, 1);
    assert.deepEqual(await imageIds(to), ids);
  });

  it('leave nothing of an archive on the disk, not even while it is sent', async (t) => {
    const { app: server, config } = await app(t);
    const { CACHE_DIR } = config;
    const left = (hours: number) => {
      const file = path.join(CACHE_DIR, `import-${randomUUID()}.zip`);
      const then = new Date(Date.now() - hours * 3_600_000);
      return writeFile(file, 'x').then(() => utimes(file, then, then));
    };
    await server.listen({ host: '127.0.0.1', port: 0 });
    const { port } = server.server.address() as AddressInfo;
    const sending = request({
      host: '127.0.0.1',
      port,
      method: 'POST',
      path: '/api/v1/import',
      headers: ZIP,
    });
    t.after(() => sending.destroy());
    sending.on('error', () => undefined);
    sending.write(Buffer.alloc(200_000));
    const archives = async () => (await readdir(CACHE_DIR)).filter((name) => name.endsWith('.zip'));
    const open = async () => {
      const files = await readdir('/proc/self/fd').catch(() => []);
      const names = files.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => ''));
      return (await Promise.all(names)).filter((name) => name.includes('/import-'));
    };
    if (process.platform === 'linux') {
      // It has a name for the moment between its making and the removal of the name.
      await until(async () => (await open()).some((name) => name.endsWith('(deleted)')));
      assert.deepEqual(await archives(), []);
    }
    sending.destroy();
    // An older version's, whose process was killed; and one that another worker of that version is receiving.
    await left(5);
    await left(0);
    await sweepArchives(CACHE_DIR);
    assert.equal((await archives()).length, 1);
  });

  it('take some groups only', async (t) => {
    const archive = await exported(await full(t), '?groups=staff');
    const file = path.join(await temporaryFolder(t), 'a.zip');
    await writeFile(file, archive);
    const opened = await openZip(file);
    const people = opened.names.get('people.jsonl') ?? -1;
    const lines = (await opened.read(people, 10_000)).toString();
    await opened.close();
    assert.deepEqual(
      [...opened.names.keys()],
      ['vectors.npy', 'people.jsonl', 'groups.jsonl', 'manifest.json'],
    );
    assert.equal(opened.pictures.size, 1);
    assert.match(lines, /^\{"groupid":"staff","userid":"ada"[^\n]*\n$/);
  });

  it('refuse what no export is, and change nothing', async (t) => {
    const to = await app(t, { MAX_IMPORT_BYTES: 1_000_000 });
    const vector = encodeNpy(unitVector(1));
    const whole = await zipOf({ ...good, [faceFile]: vector });
    const flipped = Buffer.from(whole);
    flipped[whole.indexOf(vector) + vector.length - 8] ^= 1;
    // The central directory's name of an entry, made to lead out; yazl itself refuses to write one.
    const slip = Buffer.from(whole);
    for (let at = slip.indexOf('groups.json'); at >= 0; at = slip.indexOf('groups.json', at + 1))
      slip.write('../ups.json', at);
    const bomb = await zipOf({
      ...good,
      'people/default-eve/default-eve_20260131_090000_m1.npy': Buffer.alloc(900_000),
    });
    const cases: [title: string, archive: Buffer, status: number, code: string, says: RegExp][] = [
      ['no zip', Buffer.from('PK no zip'), 400, 'ARCHIVE_INVALID', /not a zip/],
      ['an empty body', Buffer.alloc(0), 400, 'ARCHIVE_INVALID', /archive/],
      ['cut off', whole.subarray(0, whole.length - 30), 400, 'ARCHIVE_INVALID', /zip/],
      ['a changed vector', flipped, 400, 'ARCHIVE_INVALID', /damaged|manifest/],
      ['a path that leads out', slip, 400, 'ARCHIVE_INVALID', /./],
      ['a bomb', bomb, 400, 'ARCHIVE_INVALID', /too large/],
      [
        'another file',
        await zipOf({ ...good, 'people/default-eve/run.sh': 'x' }),
        400,
        'ARCHIVE_INVALID',
        /run\.sh/,
      ],
      ['no manifest entry', await zipOf(good, { entries: {} }), 400, 'ARCHIVE_INVALID', /manifest/],
      [
        'another pack',
        await zipOf(good, { pack: 'facenet', length: 512 }),
        409,
        'OTHER_PACK',
        /"facenet".*MODEL_PACK=facenet/,
      ],
      [
        'a vector of 3',
        await zipOf({ ...good, [faceFile]: encodeNpy(Float32Array.of(1, 0, 0)) }),
        400,
        'ARCHIVE_INVALID',
        /holds 3 numbers, this pack 4/,
      ],
      [
        'zeros',
        await zipOf({ ...good, [faceFile]: encodeNpy(new Float32Array(4)) }),
        400,
        'ARCHIVE_INVALID',
        /not an embedding/,
      ],
      [
        'nobody’s vector',
        await zipOf({ 'groups.json': groups, [faceFile]: vector }),
        400,
        'ARCHIVE_INVALID',
        /person\.json is missing/,
      ],
      [
        'somebody else’s',
        await zipOf({ ...good, 'people/default-bob/person.json': person }),
        400,
        'ARCHIVE_INVALID',
        /somebody else/,
      ],
      [
        'a day that never was',
        await zipOf({ ...good, 'people/default-eve/default-eve_20260231_090000_m0123456789.npy': vector }),
        400,
        'ARCHIVE_INVALID',
        /not named like a face/,
      ],
      ['too large', Buffer.alloc(1_000_001), 413, 'UPLOAD_TOO_LARGE', /./],
    ];
    for (const [title, archive, status, code, says] of cases) {
      const { status: answered, body } = await take(to, archive);
      assert.deepEqual([answered, body.code], [status, code], `${title}: ${body.message}`);
      assert.match(body.message, says, title);
    }
    assert.deepEqual([to.gallery.info().people, to.gallery.groups().length], [0, 1]);
    const text = await to.app.inject({ method: 'POST', url: '/api/v1/import', payload: { a: 1 } });
    assert.equal(text.statusCode, 415);
    assert.equal((await take(to, whole)).status, 200);
  });
});
