/** An import over Redis by workers that do not know everybody: who is there is not told as created again. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, describe, it, type TestContext } from 'node:test';
import { NO_PUBLISHER } from '../../src/events/event.js';
import { exportGallery } from '../../src/gallery/archive/export.js';
import { importGallery } from '../../src/gallery/archive/import.js';
import type { LiveGallery } from '../../src/gallery/gallery.js';
import { acrossRemotePacks } from '../../src/gallery/remote/open-remote.js';
import { createRemoteGallery } from '../../src/gallery/remote/remote-gallery.js';
import { TINY } from '../support/galleries.js';
import { createPlainEngine } from '../support/plain-engine.js';
import { REDIS_MISSING, startRedis } from '../support/redis.js';
import { forWholeFile } from '../support/redis-kinds.js';
import { openRemoteStore } from '../support/remote-stores.js';
import { temporaryFolder } from '../support/temporary.js';
import { randomUnitVector, seededRandom } from '../support/vectors.js';

const settingsOfOne = forWholeFile(async (t) => (await startRedis(t)).settings, after);
const random = seededRandom(25);
const pack = { id: 'tiny', length: TINY };
const enrolled = Array.from({ length: 12 }, (_, i) => `u${String(i).padStart(2, '0')}`);

/** An export of everybody. */
async function exported(t: TestContext): Promise<string> {
  const { gallery } = await (await stage())(t);
  for (const userid of enrolled)
    await gallery.enrol({ groupid: 'default', userid }, randomUnitVector(random, TINY));
  const folder = await temporaryFolder(t);
  const file = path.join(folder, 'a.zip');
  await writeFile(file, await buffer(exportGallery({ gallery, pack, folder })));
  return file;
}

/** Workers of an installation, each with a memory in which there is nobody. */
async function stage() {
  const settings = await settingsOfOne();
  const engine = createPlainEngine();
  return async (t: TestContext, ofPack = 'tiny') => {
    const openEngine = (one: string) => Promise.resolve(engine.open(one));
    const store = acrossRemotePacks(await openRemoteStore(settings, openEngine, { pack: ofPack }));
    const published: string[] = [];
    const publisher: typeof NO_PUBLISHER = {
      ...NO_PUBLISHER,
      begin: (changes) => {
        for (const { kind, faceid = '' } of changes) published.push(`${kind} ${faceid}`);
        return Promise.resolve([]);
      },
    };
    const gallery = await createRemoteGallery({ pack: ofPack, store, publisher });
    t.after(() => gallery.close());
    const told: string[] = [];
    gallery.subscribe(({ kind, faceid = '' }) => told.push(`${kind} ${faceid}`));
    return { gallery, published, told };
  };
}

function take(gallery: LiveGallery, file: string) {
  const enrol: Parameters<typeof importGallery>[0]['enrol'] = (
    { groupid, userid, id },
    { embedding, crop },
  ) => gallery.enrol({ groupid, userid, id, crop }, embedding);
  return importGallery({ gallery, pack, enrol }, file);
}

describe('an import over Redis', { skip: REDIS_MISSING }, () => {
  it('tells of each person once that they were made, whichever worker imports them again', async (t) => {
    const file = await exported(t);
    const open = await stage();
    const first = await open(t);
    const { people } = await take(first.gallery, file);
    assert.deepEqual(people, { added: enrolled.length, skipped: 0 });
    const created = enrolled.map((userid) => `created default-${userid}`);
    assert.deepEqual(first.told, created);
    assert.deepEqual(first.published, created);

    // Of a worker that has just started, as of one that has forgotten them among many others.
    const second = await open(t);
    await second.gallery.remove('default', enrolled[3]);
    second.told.length = second.published.length = 0;
    assert.deepEqual((await take(second.gallery, file)).people, { added: 1, skipped: enrolled.length - 1 });
    assert.deepEqual(second.told, [created[3]]);
    assert.deepEqual(second.published, [created[3]]);
  });

  it('tells of nobody that they were made whom another pack has', async (t) => {
    const file = await exported(t);
    const open = await stage();
    const other = await open(t, 'other');
    await other.gallery.enrol({ groupid: 'default', userid: 'u05' }, randomUnitVector(random, TINY));
    const { gallery, told } = await open(t);
    await take(gallery, file);
    assert.deepEqual(
      told.filter((one) => one.startsWith('created')),
      enrolled.filter((userid) => userid !== 'u05').map((userid) => `created default-${userid}`),
    );
    assert.equal((await gallery.person('default-u05'))?.faces.length, 1);
  });
});
