import assert from 'node:assert/strict';
import { chmod, mkdir, open, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import Libsql from 'libsql';
import { loadConfig } from '../../src/settings/config.js';
import { openSightings, sightingsFile } from '../../src/sightings/open.js';
import { openSightingStore } from '../../src/sightings/store/client.js';
import { unitVector } from '../support/app.js';
import { runToEnd, startServer } from '../support/server.js';
import { part } from '../support/sightings.js';
import { NO_SMALL_DISK, smallDisk } from '../support/small-disk.js';
import { temporaryFolder } from '../support/temporary.js';

const ANN = { faceid: 'g-ann', groupid: 'g', userid: 'ann', username: '', metadata: {}, faces: [] };

/** Who came by, kept in a folder that may be in any state, and a clock. */
async function kept(t: TestContext, folder: string) {
  const said: string[] = [];
  const clock = { now: 0 };
  const say = (more: { reason?: string }, text: string) => void said.push(`${text} ${more.reason ?? ''}`);
  const sightings = await openSightings({
    ...{ config: loadConfig({ EMBEDDINGS_DIR: folder }), pack: 'tiny', pair: 0.5 },
    gallery: { person: () => Promise.resolve(ANN), subscribe: () => () => undefined },
    log: { warn: say, info: say } as never,
    now: () => clock.now,
  });
  t.after(() => sightings.close());
  const see = (deviceid: string) =>
    sightings.observer.observe({ deviceid }, [{ match: undefined, embedding: unitVector(0), area: 100 }]);
  /** Somebody comes by, and what is due is written, if it can be. */
  const come = async (deviceid: string) => {
    see(deviceid);
    await sightings.flush();
    clock.now += 40_000;
    return sightings.info();
  };
  const cameras = () => sightings.store.ask('deviceids', undefined);
  return { sightings, come, cameras, said };
}

/** A file with sightings of before, closed. */
async function written(folder: string): Promise<string> {
  const file = sightingsFile(folder, 'tiny');
  const store = openSightingStore({ file, gap: 10_000, pair: 0.5 });
  const parts = Array.from({ length: 60 }, (_, i) => part(`w.${i}`, { deviceid: `camera-${i}` }));
  await store.ask('writeParts', parts, Date.now());
  await store.ask('clean');
  await store.close();
  return file;
}

describe('sightings that cannot be written', () => {
  it('are no trouble for recognition: what is no database is said, and used once it is out of the way', async (t) => {
    const folder = await temporaryFolder(t);
    const file = sightingsFile(folder, 'tiny');
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, Buffer.alloc(20_000, 'no database '));
    const { come, cameras, said } = await kept(t, folder);
    const { trouble, waiting } = await come('door');
    assert.match(trouble ?? '', /not a database/);
    assert.equal(waiting, 1);
    assert.match(said.join(), /cannot be opened at the moment.*not a database/);
    await rm(file);
    assert.equal((await come('hall')).trouble, undefined);
    assert.deepEqual(await cameras(), ['door', 'hall']);
  });

  it('are said to be damaged where a page of the file is, and the process lives on', async (t) => {
    const folder = await temporaryFolder(t);
    const file = await written(folder);
    const { size } = await stat(file);
    const handle = await open(file, 'r+');
    await handle.write(Buffer.alloc(size - 4096, 0xaa), 0, size - 4096, 4096);
    await handle.close();
    const { come } = await kept(t, folder);
    const { trouble, waiting } = await come('door');
    assert.match(trouble ?? '', /malformed|not a database|corrupt/i);
    assert.equal(waiting, 1);
  });

  it('of a newer version are left alone, and it is said so', async (t) => {
    const folder = await temporaryFolder(t);
    const db = new Libsql(await written(folder));
    db.exec("UPDATE schema_part SET steps = 99 WHERE name = 'sightings'");
    db.close();
    const { come, said } = await kept(t, folder);
    assert.match((await come('door')).trouble ?? '', /newer version/);
    assert.match(said.join(), /newer version/);
  });

  it('of an older version are brought up to date', async (t) => {
    const folder = await temporaryFolder(t);
    const db = new Libsql(await written(folder));
    db.exec("DROP TABLE corrected; DELETE FROM schema_part WHERE name = 'corrections'");
    db.close();
    const { come, sightings } = await kept(t, folder);
    assert.equal((await come('door')).trouble, undefined);
    assert.equal(await sightings.store.ask('correctSighting', 1, 'g-ann', 'c1'), true);
  });

  it('wait for a full disk to have room', { skip: NO_SMALL_DISK }, async (t) => {
    const disk = await smallDisk(t, 4);
    const { come, cameras, said } = await kept(t, disk.folder);
    assert.equal((await come('first')).trouble, undefined);
    await disk.fill();
    const full = await come('full');
    assert.ok(full.trouble, 'a full disk');
    assert.ok(full.waiting >= 1);
    await disk.clear();
    assert.equal((await come('again')).trouble, undefined);
    assert.deepEqual(await cameras(), ['again', 'first', 'full']);
    assert.equal(said.filter((text) => text.includes('cannot be written')).length, 1, said.join('\n'));
  });

  it('wait for a read-only disk to be writable', { skip: NO_SMALL_DISK }, async (t) => {
    const disk = await smallDisk(t, 4);
    await written(disk.folder);
    disk.remount('ro');
    const { come, cameras } = await kept(t, disk.folder);
    const { trouble, waiting } = await come('read-only');
    assert.deepEqual([trouble !== undefined, waiting], [true, 1]);
    disk.remount('rw');
    assert.equal((await come('last')).trouble, undefined);
    const all = await cameras();
    assert.deepEqual([all.length, all.includes('read-only')], [62, true]);
  });

  it(
    'wait where the folder may not be entered',
    { skip: process.getuid?.() === 0 && 'root may' },
    async (t) => {
      const folder = await temporaryFolder(t);
      const place = path.dirname(sightingsFile(folder, 'tiny'));
      await mkdir(place);
      await chmod(place, 0);
      const { come } = await kept(t, folder);
      assert.ok((await come('door')).trouble);
      await chmod(place, 0o700);
      assert.equal((await come('door')).trouble, undefined);
    },
  );
});

/** As where npm has found no binary of libsql for this machine. */
const WITHOUT_LIBSQL = `--import=data:text/javascript,${encodeURIComponent(
  `import { register } from 'node:module';
   register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(
     `export async function resolve(name, context, next) {
        if (name !== 'libsql') return next(name, context);
        throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
      }`,
   )}));`,
)}`;

describe('a server without libsql', () => {
  it('starts while nobody is kept, and else says what to do', { timeout: 120_000 }, async (t) => {
    const folder = await temporaryFolder(t);
    const env = {
      ...{ MODEL_PACK: 'faceapi', NODE_OPTIONS: WITHOUT_LIBSQL },
      ...{ EMBEDDINGS_DIR: path.join(folder, 'gallery'), CACHE_DIR: path.join(folder, 'cache') },
      ...{ HOST: '127.0.0.1', PORT: '0', AUTH: 'none' },
    };
    const server = await startServer(env);
    assert.equal((await server.get('/api/v1/sightings')).status, 404);
    await server.end();
    const { code, stderr } = await runToEnd({ ...env, SIGHTINGS: 'true' }, t);
    assert.notEqual(code, 0);
    assert.match(stderr, /npm install/);
    assert.match(stderr, /libsql/);
  });
});
