import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { segmentsRefusal } from '../../../src/gallery/base/segments-addon.js';
import { createExactIndex } from '../../../src/gallery/index/exact-index.js';
import { openGallery, type OpenGalleryOptions } from '../../../src/gallery/open.js';
import { snapshotNumbers, snapshotsFolder, writerLock } from '../../../src/gallery/snapshot/catalogue.js';
import type { FromWriter, ToWriter } from '../../../src/gallery/snapshot/messages.js';
import { createRedisStore } from '../../../src/gallery/store/redis-store.js';
import { encodeNpy } from '../../../src/gallery/store/npy.js';
import { nameFace } from '../../../src/gallery/face-name.js';
import { underLock } from '../../../src/platform/files/lock.js';
import { loadConfig } from '../../../src/settings/config.js';
import { REDIS_MISSING, startRedis } from '../../support/redis.js';
import { NO_SMALL_DISK, smallDisk } from '../../support/small-disk.js';
import { LENGTH, snapshotted } from '../../support/snapshots.js';
import { until } from '../../support/until.js';

type Gallery = Awaited<ReturnType<typeof snapshotted>>;

const WRITER = fileURLToPath(new URL('../../../src/gallery/snapshot/process.js', import.meta.url));
const NO_SEGMENTS = segmentsRefusal() ?? false;
const SOON = { poll: 20, many: 50, few: 1e9, erase: 20, retry: 50 };

const configOf = (folder: string, more: Record<string, string> = {}) =>
  loadConfig({ EMBEDDINGS_DIR: folder, CACHE_DIR: folder, ...more });

/** A worker's gallery. */
async function work(
  t: TestContext,
  { folder }: Pick<Gallery, 'folder'>,
  settings: Record<string, string> = {},
  times: Partial<typeof SOON> = {},
  more: Pick<OpenGalleryOptions, 'firstFrom' | 'signal'> = {},
) {
  const warnings: string[] = [];
  const index = createExactIndex(LENGTH);
  const opened = await openGallery(configOf(folder, settings), {
    ...{ pack: { id: 'tiny', embedder: { length: LENGTH }, templates: true }, index, follow: true },
    warn: (message) => warnings.push(message),
    keep: { times: { ...SOON, ...times }, leastFaces: 1 },
    ...more,
  });
  let isClosed = false;
  const close = async () => {
    if (isClosed) return;
    isClosed = true;
    await opened.gallery.close();
    await index.close();
  };
  t.after(close);
  return { ...opened, index, warnings, close };
}

/** Whether a vector is in any file of the snapshots. */
async function holds({ folder }: Pick<Gallery, 'folder'>, vector: Float32Array): Promise<boolean> {
  const bytes = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
  const place = path.join(folder, 'snapshots');
  // While one is being removed nobody can tell.
  const all = await readdir(place, { recursive: true, withFileTypes: true }).catch(() => undefined);
  if (!all) return true;
  for (const entry of all) {
    const file =
      entry.isFile() && (await readFile(path.join(entry.parentPath, entry.name)).catch(() => undefined));
    if (file && file.includes(bytes)) return true;
  }
  return false;
}

describe('a worker', { skip: NO_SEGMENTS }, () => {
  it('has a snapshot made, starts from it the next time, and finds what was changed by hand', async (t) => {
    const gallery = await snapshotted(t);
    const { vector } = await gallery.addFace('default-ken', { username: '健' });
    await gallery.addFace('default-ken');
    const first = await work(t, gallery);
    assert.equal(first.index.size, 3);
    await until(() => first.snapshots?.number() !== undefined);
    // Who is in the snapshot leaves memory.
    await until(() => first.index.size === 0);
    const added = gallery.vector();
    await first.gallery.enrol({ groupid: 'default', userid: 'mei' }, added);
    await first.close();
    const byHand = gallery.vector();
    const id = nameFace('default-aya', new Date(0), false);
    await mkdir(path.join(gallery.folder, 'tiny', 'default-aya'));
    await writeFile(path.join(gallery.folder, 'tiny', 'default-aya', `${id}.npy`), encodeNpy(byHand));
    const second = await work(t, gallery);
    assert.ok(second.snapshots?.number());
    assert.equal((await second.gallery.nearest(vector, 1))[0].person.username, '健');
    const nearest = async (probe: Float32Array) => (await second.gallery.nearest(probe, 1))[0].person.userid;
    // The log tells of the one, the files of the other.
    await until(async () => (await nearest(added)) === 'mei' && (await nearest(byHand)) === 'aya');
    assert.deepEqual(second.warnings, []);
  });

  it('makes the first one of a large gallery before it serves, once for workers that start together', async (t) => {
    const gallery = await snapshotted(t);
    const { vector } = await gallery.addFace('default-ken', { username: '健' });
    await gallery.addFace('default-mei');
    const never = { poll: 1e9 };
    const workers = await Promise.all([1, 2, 3].map(() => work(t, gallery, {}, never, { firstFrom: 2 })));
    const [number] = await snapshotNumbers(gallery.place);
    for (const { gallery: opened, index, snapshots, warnings } of workers) {
      assert.equal(snapshots?.number(), number);
      assert.equal(index.size, 0, 'nobody is held in memory');
      assert.equal((await opened.nearest(vector, 1))[0].person.username, '健');
      assert.deepEqual(warnings, []);
    }
    const { snapshots } = await work(t, await snapshotted(t), {}, never, { firstFrom: 2 });
    assert.equal(snapshots?.number(), undefined, 'a small one is read');
  });

  it('gives up starting when it is told to end while the first one is being made', async (t) => {
    const gallery = await snapshotted(t);
    await gallery.addFace('default-ken');
    await mkdir(snapshotsFolder(gallery.place), { recursive: true });
    const told = new AbortController();
    // Nobody can write one as long as this is held.
    await underLock(writerLock(gallery.place), async () => {
      const opening = work(t, gallery, {}, {}, { firstFrom: 1, signal: told.signal });
      const names = () => readdir(snapshotsFolder(gallery.place));
      await until(async () => (await names()).includes('.first.lock'));
      told.abort(new Error('told to end'));
      await assert.rejects(opening, /told to end/);
    });
    assert.deepEqual(await snapshotNumbers(gallery.place), []);
  });

  it('gives up starting when it is told to end just before its writer begins', async (t) => {
    const gallery = await snapshotted(t);
    await gallery.addFace('default-ken');
    await mkdir(snapshotsFolder(gallery.place), { recursive: true });
    const told = new AbortController();
    let looks = 0;
    // It looks twice before: then it goes on to its writer.
    const look = told.signal.throwIfAborted.bind(told.signal);
    told.signal.throwIfAborted = () => {
      look();
      if (++looks === 2) told.abort(new Error('told to end'));
    };
    await underLock(writerLock(gallery.place), async () => {
      await assert.rejects(work(t, gallery, {}, {}, { firstFrom: 1, signal: told.signal }), /told to end/);
    });
    assert.deepEqual(await snapshotNumbers(gallery.place), []);
  });

  it('reads everybody when the first one cannot be made', { skip: NO_SMALL_DISK }, async (t) => {
    const disk = await smallDisk(t);
    const gallery = await snapshotted(t, disk.folder);
    const { vector } = await gallery.addFace('default-ken');
    disk.remount('ro');
    const { gallery: opened } = await work(t, gallery, {}, {}, { firstFrom: 1 });
    assert.equal((await opened.nearest(vector, 1))[0].person.userid, 'ken');
  });

  it('alone of several has them made; when it ends another does, and all take them over', async (t) => {
    const gallery = await snapshotted(t);
    await gallery.addFace('default-ken');
    const workers = [await work(t, gallery), await work(t, gallery), await work(t, gallery)];
    await until(() => workers.every(({ snapshots }) => snapshots?.number() !== undefined));
    const makers = () => workers.filter(({ snapshots }) => snapshots?.isMaker());
    assert.equal(makers().length, 1);
    const [maker] = makers();
    const others = workers.filter((one) => one !== maker);
    await maker.close();
    await until(() => others.some(({ snapshots }) => snapshots?.isMaker()));
    const before = others[0].snapshots?.number() ?? 0;
    for (let i = 0; i < 3; i++)
      await others[0].gallery.enrol({ groupid: 'default', userid: `p${i}` }, gallery.vector());
    await until(() => others.every(({ snapshots }) => (snapshots?.number() ?? 0) > before));
    assert.equal(others.filter(({ snapshots }) => snapshots?.isMaker()).length, 1);
  });

  it('finds nobody, from its first moment on, who was deleted since the snapshot', async (t) => {
    const gallery = await snapshotted(t);
    const { vector } = await gallery.addFace('default-ken');
    await gallery.addFace('default-mei');
    const never = { erase: 1e9, many: 1e9 };
    const first = await work(t, gallery, {}, never);
    await until(() => first.snapshots?.number() !== undefined);
    await first.gallery.remove('default', 'ken');
    await first.close();
    assert.equal(await holds(gallery, vector), true, 'the snapshot is of before');
    const { gallery: second } = await work(t, gallery, {}, { ...never, poll: 1e9 });
    const found = await second.nearest(vector, 2);
    assert.deepEqual(
      found.map(({ person }) => person.userid),
      ['mei'],
    );
    assert.equal(second.info().people, 1);
  });

  it('has what is deleted removed from every snapshot', async (t) => {
    const gallery = await snapshotted(t);
    const { vector } = await gallery.addFace('default-ken');
    await gallery.addFace('default-mei');
    const worker = await work(t, gallery);
    await until(() => worker.snapshots?.number() !== undefined);
    assert.equal(await holds(gallery, vector), true);
    await worker.gallery.remove('default', 'ken');
    await until(async () => !(await holds(gallery, vector)));
    await until(async () => (await gallery.names()).filter((name) => !name.startsWith('.')).length === 1);
  });

  it('removes them where none are to be kept', async (t) => {
    const NONE: Record<string, string>[] = [{ SNAPSHOTS: 'false' }, { EVENT_LOG: 'none' }];
    for (const settings of NONE) {
      const gallery = await snapshotted(t);
      await gallery.addFace('default-ken');
      await gallery.make();
      const worker = await work(t, gallery, settings);
      assert.equal(worker.snapshots, undefined);
      assert.equal(worker.index.size, 1);
      assert.equal((await readdir(gallery.folder)).includes('snapshots'), false);
    }
  });

  it('starts with everybody whatever has become of the snapshots', async (t) => {
    const gallery = await snapshotted(t);
    const { vector } = await gallery.addFace('default-ken');
    const { number } = await gallery.make();
    await writeFile(path.join(gallery.folder, 'snapshots', 'tiny', String(number), 'people.bin'), 'x');
    const worker = await work(t, gallery);
    assert.equal((await worker.gallery.nearest(vector, 1))[0].person.userid, 'ken');
    await until(() => (worker.snapshots?.number() ?? 0) > number);
    assert.match(worker.warnings.join('\n'), /damaged/);
  });
});

describe('a snapshot writer', () => {
  const fill = async (gallery: Gallery, people = 30) => {
    for (let i = 0; i < people; i++) await gallery.addFace(`default-p${i}`);
  };
  const launch = (gallery: Gallery) => {
    const { place, folder } = gallery;
    const child = fork(WRITER, [], { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    child.send({ config: configOf(folder), place } satisfies ToWriter);
    return child;
  };

  it('says what it made', async (t) => {
    const gallery = await snapshotted(t);
    await fill(gallery, 3);
    const child = launch(gallery);
    const said: FromWriter[] = [];
    child.on('message', (message: FromWriter) => said.push(message));
    await once(child, 'exit');
    const done = said.at(-1);
    assert.ok(done?.type === 'done');
    assert.deepEqual([done.report.people, done.report.number], [3, (await gallery.newest())?.number]);
  });

  it('that is killed, or loses its worker, at whatever moment leaves a gallery that can be opened', async (t) => {
    const gallery = await snapshotted(t);
    await fill(gallery);
    for (const [i, life] of [0, 60, 120, 150, 180, 210, 240, 270, 300, 350, 400, 500].entries()) {
      const child = launch(gallery);
      const exited = once(child, 'exit');
      await sleep(life);
      // It may be done already.
      if (i % 3 === 0 && child.connected) child.disconnect();
      else child.kill('SIGKILL');
      await exited;
      const found = await gallery.newest();
      if (found) assert.equal(found.people.personAt(0).faces.length, 1);
      await gallery.addFace(`later-p${i}`);
    }
    await gallery.make();
    assert.equal((await gallery.newest())?.people.people, 42);
    assert.deepEqual(
      (await gallery.names()).filter((name) => name.startsWith('.')),
      [],
    );
    assert.deepEqual(gallery.warnings, []);
  });

  it('that is asked to end leaves nothing behind', async (t) => {
    const gallery = await snapshotted(t);
    await fill(gallery, 5);
    const stopped = new AbortController();
    const train = () => {
      stopped.abort(new Error('Stopped.'));
      return Promise.reject(new Error('Cancelled.'));
    };
    await assert.rejects(gallery.make({ signal: stopped.signal, listsFrom: 1, train }), /Stopped/);
    assert.deepEqual(await gallery.names(), []);
  });

  it('has the vectors sorted into lists from a size on, by the ones before', async (t) => {
    const gallery = await snapshotted(t);
    await fill(gallery, 4);
    const from: (string | undefined)[] = [];
    const options: Parameters<Gallery['make']>[0] = {
      listsFrom: 5,
      async train({ listsFile, rows, vectorsFile, from: before }) {
        from.push(before);
        assert.equal((await readFile(vectorsFile)).length, rows * LENGTH * 4);
        await writeFile(listsFile, `lists of ${rows}`);
        return { lists: 2, nprobe: 1, recall: 0.99, reused: false };
      },
    };
    await gallery.make(options);
    assert.equal(from.length, 0);
    await gallery.addFace('default-x');
    await gallery.make(options);
    await gallery.addFace('default-y');
    await gallery.make(options);
    assert.deepEqual(
      from.map((file) => file?.endsWith('lists.ivf') ?? false),
      [false, true],
    );
    const { manifest, folder } = (await gallery.newest()) ?? {};
    assert.deepEqual(manifest?.lists, { lists: 2, nprobe: 1, recall: 0.99 });
    assert.equal(await readFile(path.join(folder ?? '', 'lists.ivf'), 'utf8'), 'lists of 6');
    // Nobody differs, only the groups: the lists stay.
    await gallery.store.createGroup({ groupid: 'g', groupname: 'G' });
    assert.equal((await gallery.make(options)).isNew, true);
    assert.deepEqual([from.length, (await gallery.newest())?.manifest.lists?.nprobe], [2, 1]);
    assert.equal((await gallery.make(options)).isNew, false);
    // Without lists the snapshot is as good.
    await gallery.addFace('default-z');
    await gallery.make({ ...options, train: () => Promise.reject(new Error('No memory.')) });
    assert.equal((await gallery.newest())?.manifest.lists, undefined);
    assert.match(gallery.warnings.join(), /No memory/);
  });

  it('on a full disk makes none, leaves the old one, and says so', { skip: NO_SMALL_DISK }, async (t) => {
    const disk = await smallDisk(t, 4);
    const gallery = await snapshotted(t, disk.folder);
    await fill(gallery, 5);
    const { number } = await gallery.make();
    await gallery.addFace('default-x');
    await disk.fill();
    await assert.rejects(gallery.make(), (error: { code?: string }) =>
      ['STORAGE_FULL', 'ENOSPC'].includes(error.code ?? ''),
    );
    assert.deepEqual(
      (await gallery.names()).filter((name) => !name.startsWith('.')),
      [String(number)],
    );
    assert.equal((await gallery.newest())?.people.people, 5);
    disk.remount('ro');
    assert.equal((await gallery.newest())?.people.people, 5);
    await assert.rejects(gallery.make());
    disk.remount('rw');
    await disk.clear();
    await gallery.make();
    assert.equal((await gallery.newest())?.people.people, 6);
  });

  it('compares with Redis what is stored there', { skip: REDIS_MISSING }, async (t) => {
    const gallery = await snapshotted(t);
    const { settings } = await startRedis(t);
    const warn = (message: string) => assert.ok(false, message);
    const store = await createRedisStore({ redis: settings, pack: 'tiny', length: LENGTH, warn });
    t.after(() => store.close());
    await store.prepare();
    const faces = await Promise.all(
      ['a', 'b', 'c'].map(async (userid, i) => {
        const faceid = `default-${userid}`;
        const id = nameFace(faceid, new Date(1e12), false);
        const face = { id, faceid, enrolledAt: '2001-09-09T01:46:40Z', automatic: false, hasPicture: false };
        await store.addFace(face, gallery.vector(), { profile: { username: `名${i}`, metadata: {} } });
        return face;
      }),
    );
    await gallery.make({ store });
    const names = async () => {
      const people = (await gallery.newest())?.people;
      return Array.from({ length: people?.people ?? 0 }, (_, at) => people?.personAt(at).username);
    };
    assert.deepEqual(await names(), ['名0', '名1', '名2']);
    assert.equal((await gallery.make({ store })).isNew, false);
    await store.savePerson('default-b', { username: '新', metadata: {} });
    await store.removePerson('default-c');
    await store.removeFace(faces[0]);
    const { changed, gone } = await gallery.make({ store });
    assert.deepEqual([changed, gone, await names()], [2, 1, ['名0', '新']]);
  });
});
