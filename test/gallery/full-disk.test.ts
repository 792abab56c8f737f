import assert from 'node:assert/strict';
import { appendFile, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { createKeys } from '../../src/access/keys.js';
import { loadConfig } from '../../src/settings/config.js';
import { createExactIndex } from '../../src/gallery/index/exact-index.js';
import { openGallery } from '../../src/gallery/open.js';
import type { Gallery } from '../../src/gallery/types.js';
import { createReserve } from '../../src/platform/files/reserve.js';
import { PACK, testApp } from '../support/app.js';
import { NO_SMALL_DISK, type SmallDisk, smallDisk } from '../support/small-disk.js';
import { until } from '../support/until.js';
import { randomUnitVector, seededRandom } from '../support/vectors.js';
import { everybody } from '../support/galleries.js';

const LENGTH = PACK.embedder.length;
const random = seededRandom(11);
const vector = () => randomUnitVector(random, LENGTH);
const GROUP = 'default';
const CROP = Buffer.alloc(20_000, 7);

/** A gallery with its log of events, as a worker opens it. */
async function open(t: TestContext, folder: string, warnings: string[] = []): Promise<Gallery> {
  const config = { ...loadConfig({ EMBEDDINGS_DIR: folder, CACHE_DIR: folder }) };
  const index = createExactIndex(LENGTH);
  const { gallery } = await openGallery(config, {
    ...{ pack: { id: PACK.id, embedder: PACK.embedder, templates: true }, index, follow: false },
    warn: (message) => warnings.push(message),
  });
  t.after(() => gallery.close());
  return gallery;
}

async function enrolPeople(gallery: Gallery, count: number): Promise<void> {
  for (let i = 0; i < count; i++)
    await gallery.enrol({ groupid: GROUP, userid: `p${i}`, username: 'Name' }, vector());
}

const PAGE = 4096;

/** Fills a disk, and the logs to the end of their last block: the next line needs one that is not there. */
async function fillUp(disk: SmallDisk): Promise<void> {
  const events = path.join(disk.folder, 'events');
  const logs = (await readdir(events)).filter((name) => name.endsWith('.jsonl'));
  for (const file of [
    ...logs.map((name) => path.join(events, name)),
    path.join(disk.folder, 'audit.jsonl'),
  ]) {
    const size = (await stat(file).catch(() => undefined))?.size;
    if (size) await appendFile(file, '\n'.repeat((PAGE - (size % PAGE)) % PAGE));
  }
  await disk.fill();
}

describe('on a full disk', { skip: NO_SMALL_DISK }, () => {
  it('everybody can be deleted, face by face too, and another worker is told', async (t) => {
    const disk = await smallDisk(t);
    const gallery = await open(t, disk.folder);
    await enrolPeople(gallery, 40);
    await fillUp(disk);
    const [first] = (await gallery.person(`${GROUP}-p0`))?.faces ?? [];
    await gallery.removeFace(`${GROUP}-p0`, first.id);
    for (let i = 0; i < 40; i++) {
      // Each deletion gives room back; the next must not live on that.
      if (i < 5) await fillUp(disk);
      await gallery.remove(GROUP, `p${i}`);
    }
    assert.deepEqual(await everybody(gallery), []);
    assert.deepEqual(await readdir(path.join(disk.folder, PACK.id)), []);
    const names = await readdir(path.join(disk.folder, 'events'));
    const log = await readFile(path.join(disk.folder, 'events', names[0]), 'utf8');
    assert.equal(log.match(/"kind":"removed"/g)?.length, 40);
    assert.match(log, /"kind":"face-removed"/);
  });

  it('groups go, but nothing is added, and what is refused leaves nobody behind', async (t) => {
    const disk = await smallDisk(t);
    const gallery = await open(t, disk.folder);
    await gallery.createGroup({ groupid: 'staff', groupname: 'Staff' });
    await enrolPeople(gallery, 3);
    await disk.fill();
    const full = { code: 'STORAGE_FULL', statusCode: 503, message: /disk that holds the gallery is full/ };
    await assert.rejects(gallery.enrol({ groupid: GROUP, userid: 'new', crop: CROP }, vector()), full);
    await assert.rejects(gallery.createPerson({ groupid: GROUP, userid: 'new' }), full);
    await assert.rejects(gallery.createGroup({ groupid: 'guests', groupname: 'Guests' }), full);
    await assert.rejects(gallery.updatePerson(`${GROUP}-p0`, { username: 'Other' }), full);
    await assert.rejects(gallery.movePerson(`${GROUP}-p0`, { groupid: GROUP, userid: 'new' }), full);
    await gallery.removeGroup('staff', { withPeople: true });
    assert.equal(await gallery.person(`${GROUP}-new`), undefined);
    assert.deepEqual((await readdir(path.join(disk.folder, PACK.id))).sort(), [
      'default-p0',
      'default-p1',
      'default-p2',
    ]);
    // Nor has anything of it been said: what was begun and not closed would be looked after.
    await disk.clear();
    await gallery.enrol({ groupid: GROUP, userid: 'new', crop: CROP }, vector());
    assert.equal((await everybody(await open(t, disk.folder))).length, 4);
  });

  it('an enrolment for which room runs out on the way leaves nothing behind', async (t) => {
    const disk = await smallDisk(t);
    const gallery = await open(t, disk.folder);
    await enrolPeople(gallery, 1);
    // There is room to begin with, but not for a picture of this size.
    const crop = Buffer.alloc(3_000_000);
    const enrolling = gallery.enrol({ groupid: GROUP, userid: 'new', username: 'New', crop }, vector());
    await assert.rejects(enrolling, { code: 'STORAGE_FULL' });
    assert.deepEqual(await readdir(path.join(disk.folder, PACK.id)), ['default-p0']);
    await assert.rejects(gallery.enrol({ groupid: GROUP, userid: 'p0', crop }, vector()), {
      code: 'STORAGE_FULL',
    });
    assert.equal((await readdir(path.join(disk.folder, PACK.id, 'default-p0'))).length, 2);
    assert.equal((await everybody(await open(t, disk.folder))).length, 1);
  });

  it('nobody is corrected, what was said is taken back, and what is refused leaves nothing behind', async (t) => {
    const disk = await smallDisk(t);
    const gallery = await open(t, disk.folder);
    await enrolPeople(gallery, 2);
    const faceid = `${GROUP}-p0`;
    const wrong = vector();
    const said = [(await gallery.correct(faceid, wrong, CROP)).correction];
    for (let i = 0; i < 3; i++) said.push((await gallery.correct(faceid, vector(), CROP)).correction);
    const files = async () => (await readdir(path.join(disk.folder, PACK.id), { recursive: true })).sort();
    const before = await files();
    await fillUp(disk);
    const full = { code: 'STORAGE_FULL', statusCode: 503, message: /disk that holds the gallery is full/ };
    await assert.rejects(gallery.correct(faceid, vector(), CROP), full);
    await assert.rejects(gallery.correct(`${GROUP}-p1`, vector()), full);
    assert.deepEqual(await files(), before);
    assert.equal(gallery.ruledOut(faceid, wrong, 0.01)?.id, said[0].id, 'what was said is heeded');
    for (const { id } of said) {
      await fillUp(disk);
      await gallery.removeCorrection(faceid, id);
    }
    assert.deepEqual(gallery.corrections(), []);
    await disk.clear();
    // There is room to begin with, but not for a picture of this size.
    for (const whom of [faceid, `${GROUP}-p1`])
      await assert.rejects(gallery.correct(whom, vector(), Buffer.alloc(3_000_000)), {
        code: 'STORAGE_FULL',
      });
    const left = await files();
    assert.deepEqual(
      left.filter((name) => /\.not$|corrected\/./.test(name) || name.includes('_n')),
      [],
    );
    assert.deepEqual((await open(t, disk.folder)).corrections(), []);
    assert.deepEqual(await files(), left);
  });

  it('what is kept aside is kept aside again once there is room', async (t) => {
    const disk = await smallDisk(t);
    const gallery = await open(t, disk.folder);
    const reserve = path.join(disk.folder, '.reserve');
    const { size } = await stat(reserve);
    assert.ok(size >= 64 * 1024, `${size} bytes`);
    await disk.fill();
    const lines = path.join(disk.folder, 'lines');
    await createReserve(disk.folder).spend(() => writeFile(lines, Buffer.alloc(20_000)));
    assert.ok((await stat(reserve)).size < size);
    // Who adds something gets none of it: there is room now, but no more than was kept aside.
    await assert.rejects(gallery.createPerson({ groupid: GROUP, userid: 'new' }), { code: 'STORAGE_FULL' });
    await assert.rejects(
      createReserve(disk.folder).spend(() => writeFile(lines, Buffer.alloc(4_000_000))),
      { code: 'ENOSPC' },
    );
    await disk.clear();
    await open(t, disk.folder);
    assert.equal((await stat(reserve)).size, size);
  });

  it('even one that was full before anything could be kept aside, people can be deleted', async (t) => {
    const disk = await smallDisk(t);
    const gallery = await open(t, disk.folder);
    await enrolPeople(gallery, 3);
    await rm(path.join(disk.folder, '.reserve'));
    await fillUp(disk);
    const again = await open(t, disk.folder);
    for (let i = 0; i < 3; i++) await again.remove(GROUP, `p${i}`);
    assert.deepEqual(await everybody(await open(t, disk.folder)), []);
  });

  it('readiness says so, keys end and sessions too, and the audit has every line', async (t) => {
    const disk = await smallDisk(t);
    const gallery = await open(t, disk.folder);
    await enrolPeople(gallery, 2);
    const files = {
      KEYS_FILE: path.join(disk.folder, 'keys.json'),
      AUDIT_FILE: path.join(disk.folder, 'audit.jsonl'),
    };
    const keys = createKeys({ file: files.KEYS_FILE });
    const { key } = await keys.add({ name: 'chief', role: 'admin' });
    const { info } = await keys.add({ name: 'lost', role: 'admin' });
    const { app } = await testApp(t, { AUTH: 'key', ...files }, { gallery, keys });
    const headers = { authorization: `Bearer ${key}` };
    const ready = async () =>
      (await app.inject('/api/v1/ready')).json<{ status: string; trouble?: { message: string }[] }>();
    assert.deepEqual(await ready(), { status: 'ok' });
    await disk.fill();
    const refused = await app.inject({
      ...{ method: 'POST', url: '/api/v1/groups', headers },
      payload: { groupid: 'guests', groupname: 'Guests' },
    });
    assert.equal(refused.statusCode, 503);
    assert.equal(refused.json<{ code: string }>().code, 'STORAGE_FULL');
    await until(async () => (await ready()).status === 'degraded');
    assert.match((await ready()).trouble?.[0].message ?? '', /disk that holds the gallery is full/);
    const remove = (url: string) => app.inject({ method: 'DELETE', url, headers });
    await fillUp(disk);
    assert.equal((await remove(`/api/v1/people/${GROUP}-p0`)).statusCode, 200);
    await fillUp(disk);
    assert.equal((await remove(`/api/v1/keys/${info.id}`)).statusCode, 200);
    await fillUp(disk);
    await keys.endSession('nonce', Math.floor(Date.now() / 1000) + 60);
    await disk.fill();
    await assert.rejects(keys.add({ name: 'more', role: 'admin' }), {
      code: 'STORAGE_FULL',
      message: /disk .* keys/,
    });
    assert.equal((await keys.list()).length, 1);
    assert.equal(await keys.sessionIsEnded('nonce'), true);
    await app.close();
    const lines = (await readFile(files.AUDIT_FILE, 'utf8')).split('\n').filter(Boolean);
    const actions = lines.map((line) => (JSON.parse(line) as { action: string; outcome: string }).action);
    assert.ok(actions.includes('delete') && actions.includes('key revoked'), actions.join());
  });
});

describe('a gallery on a disk that may not be written', { skip: NO_SMALL_DISK }, () => {
  it('is recognised in, says at the start and in readiness that it is read-only, and refuses changes by that name', async (t) => {
    const disk = await smallDisk(t);
    const writable = await open(t, disk.folder);
    await enrolPeople(writable, 2);
    await writable.close();
    disk.remount('ro');
    const warnings: string[] = [];
    const gallery = await open(t, disk.folder, warnings);
    assert.equal((await everybody(gallery)).length, 2);
    assert.equal((await gallery.nearest(vector(), 1)).length, 1);
    assert.ok(
      warnings.some((text) => text.includes('read-only')),
      warnings.join('\n'),
    );
    const { app } = await testApp(t, {}, { gallery });
    const answer = (await app.inject('/api/v1/ready')).json<{
      status: string;
      trouble: { message: string }[];
    }>();
    assert.equal(answer.status, 'degraded');
    assert.match(answer.trouble[0].message, /read-only/);
    const refused = { code: 'STORE_UNAVAILABLE', message: /read-only/ };
    await assert.rejects(gallery.enrol({ groupid: GROUP, userid: 'new' }, vector()), refused);
    await assert.rejects(gallery.remove(GROUP, 'p0'), refused);
    disk.remount('rw');
    await gallery.remove(GROUP, 'p0');
    await until(() => gallery.info().obstacle === undefined);
  });
});
