/** What happens between Redis and an engine that is late, away, or forgets: nothing is lost and nobody comes back. */
import assert from 'node:assert/strict';
import { after, describe, it, type TestContext } from 'node:test';
import { NO_PUBLISHER, type Publisher } from '../../src/events/event.js';
import { createRemoteGallery } from '../../src/gallery/remote/remote-gallery.js';
import type { LiveGallery } from '../../src/gallery/gallery.js';
import { acrossPacks } from '../../src/gallery/store/across-packs.js';
import type { EmbeddingStore } from '../../src/gallery/store/store.js';
import { KaomonError } from '../../src/platform/errors.js';
import type { RemoteStore } from '../../src/gallery/remote/remote-store.js';
import { everybody, summarise, TINY } from '../support/galleries.js';
import { createPlainEngine, type PlainEngine } from '../support/plain-engine.js';
import { REDIS_MISSING, startRedis } from '../support/redis.js';
import { forWholeFile } from '../support/redis-kinds.js';
import { openRemoteStore } from '../support/remote-stores.js';
import { until } from '../support/until.js';
import { randomUnitVector, seededRandom } from '../support/vectors.js';

const random = seededRandom(18);
const vector = () => randomUnitVector(random, TINY);
const settingsOfOne = forWholeFile(async (t) => (await startRedis(t)).settings, after);

interface Stage {
  engine: PlainEngine;
  /** As another process would, with a memory of its own. */
  open: () => Promise<{ gallery: LiveGallery; store: RemoteStore; settled: string[] }>;
}

async function stage(t: TestContext, engine = createPlainEngine({ late: 40 })): Promise<Stage> {
  const settings = await settingsOfOne();
  return {
    engine,
    async open() {
      const store = await openRemoteStore(settings, (pack) => Promise.resolve(engine.open(pack)));
      const settled: string[] = [];
      const publisher: Publisher = {
        ...NO_PUBLISHER,
        settle: (_begun, kind) => Promise.resolve(void settled.push(kind)),
      };
      const gallery = await createRemoteGallery({ pack: 'tiny', templates: true, store, publisher });
      t.after(() => gallery.close());
      return { gallery, store, settled };
    },
  };
}

const enrol = (gallery: LiveGallery, userid: string, face: Float32Array) =>
  gallery.enrol({ groupid: 'default', userid }, face);
const nearest = async (gallery: LiveGallery, probe: Float32Array) =>
  (await gallery.nearest(probe, 1)).at(0)?.person.faceid;

/** Without waiting for what is late by the clock: everything is due. */
async function settle({ store }: { store: RemoteStore }): Promise<void> {
  await until(async () => {
    await store.journal.sweep();
    return store.tail.size() === 0;
  });
}

describe('a gallery that no process holds', { skip: REDIS_MISSING }, () => {
  it('finds at once whom it enrolled, and a process that starts then does, before the engine shows them', async (t) => {
    const { open, engine } = await stage(t, createPlainEngine({ late: 60_000 }));
    const { gallery } = await open();
    const ken = vector();
    await enrol(gallery, 'ken', ken);
    assert.equal(await nearest(gallery, ken), 'default-ken');
    const other = await open();
    assert.equal(await nearest(other.gallery, ken), 'default-ken');
    assert.deepEqual(await engine.open('tiny').search(ken, 1), [], 'the engine does not show them');
  });

  it('finds nobody who was deleted, on any machine, while the engine still does', async (t) => {
    const { open, engine } = await stage(t);
    const [here, there] = [await open(), await open()];
    const [ken, ann] = [vector(), vector()];
    const { id } = await enrol(here.gallery, 'ken', ken);
    await enrol(here.gallery, 'ann', ann);
    await settle(here);
    await settle(there);
    engine.late = 60_000;
    assert.equal(await nearest(there.gallery, ken), 'default-ken');
    await here.gallery.remove('default', 'ken');
    assert.equal((await engine.open('tiny').search(ken, 1))[0].id, id, 'the engine still shows them');
    for (const { gallery } of [here, there]) assert.equal(await nearest(gallery, ken), 'default-ann');
    assert.equal((await there.gallery.person('default-ken'))?.faceid, undefined);
  });

  it('leaves the tail to the engine once that shows everything, and finds the same', async (t) => {
    const { open, engine } = await stage(t);
    const one = await open();
    const faces = new Map(Array.from({ length: 40 }, (_, i) => [`u${i}`, vector()]));
    for (const [userid, face] of faces) await enrol(one.gallery, userid, face);
    await enrol(one.gallery, 'u0', vector());
    assert.equal(one.store.tail.size(), 42, 'faces and a template');
    await settle(one);
    assert.equal(engine.ids('tiny').length, 42);
    for (const [userid, face] of faces) {
      const [match] = await one.gallery.nearest(face, 1);
      assert.equal(match.person.userid, userid);
      assert.ok(match.distance < 1e-6);
    }
    assert.equal((await one.gallery.vectors('default-u7'))[0].vector.length, TINY);
    assert.deepEqual((await one.gallery.vectors('default-u7'))[0].vector, faces.get('u7'));
  });

  it('takes people by the many no faster than the engine comes to show them', async (t) => {
    const settings = await settingsOfOne();
    const engine = createPlainEngine({ settles: 300 });
    const open = (pack: string) => Promise.resolve(engine.open(pack));
    const store = await openRemoteStore({ ...settings, prefix: 'many' }, open, { most: 20 });
    t.after(() => store.close());
    await store.prepare();
    let made = 0;
    const add = async (count: number) => {
      const people = Array.from({ length: count }, () => {
        const faceid = `default-u${made++}`;
        const id = `${faceid}_20260102_030405_m1`;
        const face = { id, faceid, enrolledAt: '2026-01-02T03:04:05Z', automatic: false, hasPicture: false };
        return { faceid, profile: { username: '', metadata: {} }, faces: [{ face, vector: vector() }] };
      });
      assert.ok((await store.addPeople(people)).every(Boolean));
      return store.journal.unsettled();
    };
    let highest = 0;
    for (let call = 0; call < 6; call++) highest = Math.max(highest, await add(15));
    assert.ok(highest <= 35, `${highest} vectors in every tail`);
    assert.equal(engine.ids('tiny').length, 90);
    await add(30);
    engine.isAway = true;
    await assert.rejects(store.journal.room(), { code: 'STORE_UNAVAILABLE' });
  });

  it('has the engine do what a process that died had begun', async (t) => {
    const { open, engine } = await stage(t);
    const [dead, alive] = [await open(), await open()];
    const [ken, ann, eve] = [vector(), vector(), vector()];
    await enrol(dead.gallery, 'ann', ann);
    await enrol(dead.gallery, 'eve', eve);
    await settle(dead);
    // From here on nothing of its changes comes to the engine.
    dead.store.journal.carry = () => undefined;
    engine.isAway = true;
    await dead.store.addFace(
      {
        id: 'default-ken_20260102_030405_m1',
        faceid: 'default-ken',
        enrolledAt: '2026-01-02T03:04:05Z',
        automatic: false,
        hasPicture: false,
      },
      ken,
      {},
    );
    await dead.store.removePerson('default-ann');
    engine.isAway = false;
    await until(async () => {
      await alive.store.journal.sweep();
      const ids = engine.ids('tiny').join();
      return ids.includes('default-ken') && !ids.includes('default-ann');
    });
    await alive.gallery.reload();
    assert.equal(await nearest(alive.gallery, ken), 'default-ken');
    assert.notEqual(await nearest(alive.gallery, ann), 'default-ann');
  });

  it('writes again what the engine lost before every search found it', async (t) => {
    const { open, engine } = await stage(t, createPlainEngine({ settles: 300 }));
    const one = await open();
    const ken = vector();
    const { id } = await enrol(one.gallery, 'ken', ken);
    await one.store.journal.carried();
    engine.lose('tiny', id);
    await settle(one);
    assert.deepEqual(engine.ids('tiny'), [id]);
    assert.equal(await nearest(one.gallery, ken), 'default-ken');
  });

  it('says that the engine is away, refuses what it could not search, deletes nevertheless, and goes on by itself', async (t) => {
    const { open, engine } = await stage(t);
    const { gallery, store, settled } = await open();
    const [ken, ann, eve] = [vector(), vector(), vector()];
    await enrol(gallery, 'ken', ken);
    await enrol(gallery, 'ann', ann);
    await enrol(gallery, 'eve', eve);
    await settle({ store });
    engine.isAway = true;
    const away = { code: 'STORE_UNAVAILABLE', statusCode: 503, message: /Milvus.*does not answer/ };
    await assert.rejects(gallery.nearest(ken, 1), away);
    await assert.rejects(enrol(gallery, 'bob', vector()), away);
    assert.equal(gallery.info().obstacle, 'milvus away');
    assert.equal(await store.profile('default-bob'), undefined, 'nothing was written');
    assert.equal((await gallery.person('default-ken'))?.faces.length, 1, 'who people are can be read');
    await gallery.remove('default', 'ken');
    // Another worker has deleted somebody, and died before it could say so.
    await store.removePerson('default-eve');
    const begun = { kind: 'begun', will: 'removed', uid: 'b', worker: 'dead', pack: 'tiny' } as const;
    await gallery.settle({ ...begun, groupid: 'default', faceid: 'default-eve', at: '2026-01-01T00:00:00Z' });
    assert.deepEqual(settled, ['removed']);
    engine.isAway = false;
    assert.equal(await nearest(gallery, ken), 'default-ann');
    await until(async () => {
      await store.journal.sweep();
      return engine.ids('tiny').length === 1;
    });
    assert.equal(gallery.info().obstacle, undefined);
    assert.ok(engine.compactions >= 1, 'it was asked to write its files anew');
  });

  it('deletes from a pack whose collection cannot be reached, and from that collection once it can', async (t) => {
    const settings = await settingsOfOne();
    const engine = createPlainEngine();
    let isReached = true;
    const warnings: string[] = [];
    const open = async (pack: string) => {
      const store = acrossPacks(
        await openRemoteStore(
          settings,
          (ofPack) =>
            isReached || ofPack === 'tiny'
              ? Promise.resolve(engine.open(ofPack))
              : Promise.reject(new KaomonError('SETUP', 'Milvus does not answer.')),
          { pack, warn: (message) => warnings.push(message) },
        ),
      );
      t.after(() => store.close());
      await store.prepare();
      return store;
    };
    const old = await open('old');
    const ids = [3, 4, 5].map((second) => `default-ken_20260102_03040${second}_m1`);
    const enrolledAt = '2026-01-02T03:04:05Z';
    const addTo = async (store: EmbeddingStore, id: string) => {
      const face = { id, faceid: 'default-ken', enrolledAt, automatic: false, hasPicture: false };
      await store.addFace(face, vector(), {});
      return face;
    };
    const [first] = await Promise.all([addTo(old, ids[0]), addTo(old, ids[1]), addTo(old, ids[2])]);
    await until(() => engine.ids('old').filter((id) => !id.startsWith('~')).length === 3);
    await old.close();

    isReached = false;
    const store = await open('tiny');
    await addTo(store, ids[0]);
    await store.removeFace(first);
    const gone = await store.removePerson('default-ken');
    assert.equal(gone?.faces, 2, 'of the other pack');
    assert.equal(await store.readPerson('default-ken', new Set()), undefined);
    assert.ok(engine.ids('old').length > 0);
    await until(() => warnings.some((text) => text.includes('pack old cannot be reached')));
    isReached = true;
    await until(async () => {
      await store.recover().catch(() => undefined);
      return engine.ids('old').length === 0;
    });
  });

  it('keeps a template that is as the faces are, whoever changes them at the same time', async (t) => {
    const { open, engine } = await stage(t);
    const workers = [await open(), await open(), await open()];
    await Promise.all(Array.from({ length: 30 }, (_, i) => enrol(workers[i % 3].gallery, 'ken', vector())));
    for (const worker of workers) await worker.store.journal.carried();
    await settle(workers[0]);
    const templates = engine.ids('tiny').filter((id) => id.startsWith('~'));
    assert.equal(templates.length, 1);
    const read = await workers[1].store.readPerson('default-ken', new Set());
    assert.equal(read?.faces.length, 30);
    const mean = Array.from({ length: TINY }, (_, i) =>
      read.faces.reduce((sum, face) => sum + (face.vector?.[i] ?? NaN), 0),
    );
    const norm = Math.hypot(...mean);
    const found = (await engine.open('tiny').vectors(templates, { fresh: true })).get(templates[0]);
    mean.forEach((value, i) => assert.ok(Math.abs(value / norm - (found?.[i] ?? NaN)) < 1e-5));
  });

  it('lists, counts and searches people as a gallery in memory does, from Redis', async (t) => {
    const { open } = await stage(t);
    const { gallery } = await open();
    await gallery.createGroup({ groupid: 'staff', groupname: '' });
    const names = ['Émile Zola', '田中 太郎', 'Ken Tanaka', 'Tanja', 'Ōno'];
    for (const [i, username] of names.entries())
      await gallery.enrol({ groupid: i % 2 ? 'staff' : 'default', userid: `u${i}`, username }, vector());
    await gallery.createPerson({ groupid: 'staff', userid: 'bare' });
    const list = async (
      options: Omit<Parameters<LiveGallery['people']>[0], 'limit'> & { limit?: number },
    ) => {
      const { people, total } = await gallery.people({ limit: 10, count: true, ...options });
      return [people.map(({ faceid }) => faceid), total];
    };
    const all = ['default-u0', 'default-u2', 'default-u4', 'staff-bare', 'staff-u1', 'staff-u3'];
    assert.deepEqual(await list({}), [all, 6]);
    assert.deepEqual(await list({ offset: 2, limit: 3 }), [all.slice(2, 5), 6]);
    assert.deepEqual(await list({ after: 'default-u3' }), [all.slice(2), 6]);
    const staff = new Set(['staff']);
    assert.deepEqual(await list({ groups: staff, offset: 1 }), [['staff-u1', 'staff-u3'], 3]);
    assert.deepEqual(await list({ pictures: 'none' }), [['staff-bare'], 1]);
    assert.deepEqual(await list({ pictures: 'some', groups: staff, offset: 1 }), [['staff-u3'], 2]);
    assert.deepEqual(await list({ search: 'tan' }), [['default-u2', 'staff-u3'], 2]);
    assert.deepEqual(await list({ search: 'TANAKA' }), [['default-u2'], 1]);
    assert.deepEqual(await list({ search: 'ono' }), [['default-u4'], 1]);
    assert.deepEqual(await list({ search: 'emile z' }), [['default-u0'], 1]);
    assert.deepEqual(await list({ search: '中' }), [['staff-u1'], 1]);
    assert.deepEqual(await list({ search: 'u', groups: staff }), [['staff-u1', 'staff-u3'], 2]);
    assert.deepEqual(await list({ sort: 'name', groups: new Set(['default']) }), [
      ['default-u0', 'default-u2', 'default-u4'],
      3,
    ]);
    let pages = 0;
    const seen: string[] = [];
    for (let after: string | undefined = ''; after !== undefined; pages++) {
      const page = await gallery.people({ limit: 4, ...(after && { after }) });
      seen.push(...page.people.map(({ faceid }) => faceid));
      after = page.next;
    }
    assert.deepEqual([seen, pages], [all, 2]);
    await gallery.updatePerson('default-u2', { username: 'Kenji' });
    assert.deepEqual(await list({ search: 'tanaka' }), [[], 0]);
    assert.deepEqual(await list({ search: 'kenji' }), [['default-u2'], 1]);
    await gallery.remove('default', 'u2');
    assert.deepEqual(await list({ search: 'kenji' }), [[], 0]);
    assert.deepEqual(
      (await everybody(gallery)).map(({ faceid }) => faceid),
      all.filter((id) => id !== 'default-u2'),
    );
    assert.equal(gallery.info().people, 5);
    assert.deepEqual(summarise((await everybody(gallery))[2]), {
      ...{ faceid: 'staff-bare', username: 'bare', metadata: {}, faces: [] },
    });
  });
});
