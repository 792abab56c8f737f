import assert from 'node:assert/strict';
import { after, describe, it, type TestContext } from 'node:test';
import { nameFace } from '../../src/gallery/face-name.js';
import { createFileStore } from '../../src/gallery/store/file-store.js';
import { createRedisStore } from '../../src/gallery/store/redis-store.js';
import type { EmbeddingStore } from '../../src/gallery/store/store.js';
import type { Face } from '../../src/gallery/types.js';
import type { RedisSettings } from '../../src/platform/redis.js';
import { createPlainEngine } from '../support/plain-engine.js';
import { REDIS_MISSING, startRedis } from '../support/redis.js';
import { forWholeFile, startRedisCluster } from '../support/redis-kinds.js';
import { isOverMilvus, type OpenEngine, openInMilvus, openRemoteStore } from '../support/remote-stores.js';
import { temporaryFolder } from '../support/temporary.js';
import { randomUnitVector, seededRandom } from '../support/vectors.js';

const LENGTH = 8;
const random = seededRandom(3);
const vector = () => randomUnitVector(random, LENGTH);
const KEN = { username: 'Ken', metadata: { desk: '7' } };
const noWarning = (message: string) => assert.ok(false, message);
const CROP = Uint8Array.of(0x89, 0x50, 0x4e, 0x47);

const cluster = forWholeFile(startRedisCluster, after);

/** What opens a store over and over on the same data, as processes do. */
type Open = (pack?: string) => Promise<EmbeddingStore>;

type Stores = Record<string, { skip: false | string; prepare: (t: TestContext) => Promise<Open> }>;

const IN_MILVUS: Stores = {
  'in Redis and Milvus': {
    skip: REDIS_MISSING,
    prepare: async (t) => openOver(t, (await startRedis(t)).settings, openInMilvus),
  },
};

const STORES: Stores = {
  'in files': {
    skip: false,
    async prepare(t) {
      const folder = await temporaryFolder(t);
      return async (pack = 'tiny') => {
        const store = createFileStore({ folder, pack, length: LENGTH, warn: noWarning });
        await store.load();
        return store;
      };
    },
  },
  'in Redis': {
    skip: REDIS_MISSING,
    prepare: async (t) => openIn(t, (await startRedis(t)).settings),
  },
  'in Redis and an engine': {
    skip: REDIS_MISSING,
    async prepare(t) {
      const engine = createPlainEngine({ late: 20 });
      const { settings: redis } = await startRedis(t);
      return openOver(t, redis, (pack) => Promise.resolve(engine.open(pack)));
    },
  },
  'in a Redis cluster': {
    skip: REDIS_MISSING,
    prepare: async (t) => openIn(t, await cluster()),
  },
};

function openIn(t: TestContext, redis: RedisSettings): Open {
  return async (pack = 'tiny') => {
    const store = await createRedisStore({ redis, pack, length: LENGTH, warn: noWarning });
    t.after(() => store.close());
    await store.load();
    return store;
  };
}

function openOver(t: TestContext, redis: RedisSettings, openEngine: OpenEngine): Open {
  return async (pack = 'tiny') => {
    const store = await openRemoteStore(redis, openEngine, { pack, length: LENGTH, warn: noWarning });
    t.after(() => store.close());
    await store.load();
    return store;
  };
}

function faceOf(faceid: string, second = 0): Face {
  const at = new Date(Date.UTC(2026, 0, 2, 3, 4, second));
  return {
    id: nameFace(faceid, at, false),
    faceid,
    enrolledAt: `${at.toISOString().slice(0, 19)}Z`,
    automatic: false,
    hasPicture: false,
  };
}

for (const [name, { skip, prepare }] of Object.entries(isOverMilvus() ? IN_MILVUS : STORES)) {
  describe(`embeddings kept ${name}`, { skip }, () => {
    it('are read by another process as they were written, the oldest first', async (t) => {
      const open = await prepare(t);
      const [here, there] = [await open(), await open()];
      const [late, early] = [faceOf('default-a', 9), faceOf('default-a', 1)];
      const [a, b] = [vector(), vector()];
      await here.addFace(late, a, { profile: KEN, crop: CROP });
      await here.addFace(early, b, {});
      const person = await there.readPerson('default-a', new Set([late.id]));
      assert.deepEqual(
        [person?.username, person?.metadata, person?.faces.map(({ id }) => id)],
        ['Ken', { desk: '7' }, [early.id, late.id]],
      );
      assert.deepEqual(person?.faces[0].vector, b);
      assert.equal(person.faces[1].vector, undefined, 'that one is known');
      assert.equal(person.faces[1].hasPicture, true);
      assert.deepEqual(new Uint8Array((await there.picture(late)) ?? []), CROP);
      assert.equal(await there.picture(early), undefined);
      assert.deepEqual(await there.list(), ['default-a']);
      const { people, otherPacks } = await (await open()).load();
      assert.deepEqual(
        people[0].faces.map(({ vector: stored }) => stored),
        [b, a],
      );
      assert.deepEqual(otherPacks, {});
      assert.deepEqual((await (await open('other')).load()).otherPacks, { tiny: 2 });
      const noDirection = new Float32Array(a.length);
      for (const wrong of [new Float32Array(3), noDirection, a.map((value) => value / 2), a.map(() => NaN)])
        await assert.rejects(here.addFace(faceOf('default-b'), wrong, {}), RangeError);
      assert.deepEqual(await there.list(), ['default-a'], 'nobody is made by what is no embedding');
    });

    it('make a person once, and nobody by saving one who is not there', async (t) => {
      const store = await (await prepare(t))();
      assert.equal(await store.savePerson('default-a', KEN), false);
      assert.equal(await store.readPerson('default-a', new Set()), undefined);
      assert.equal(await store.createPerson('default-a', KEN), true);
      assert.equal(await store.createPerson('default-a', { username: 'Other', metadata: {} }), false);
      assert.equal((await store.readPerson('default-a', new Set()))?.username, 'Ken');
      assert.equal(await store.savePerson('default-a', { username: 'Kenji', metadata: {} }), true);
      assert.equal((await store.readPerson('default-a', new Set()))?.username, 'Kenji');
    });

    it('keep a consent with the name, in every step', async (t) => {
      const open = await prepare(t);
      const [store, other] = [await open(), await open()];
      const consent = { given: '2024-05-02', how: 'form', note: '棚 12', by: 'office' } as const;
      const read = async (faceid: string) => (await other.readPerson(faceid, new Set()))?.consent;
      await store.createPerson('default-a', { ...KEN, consent });
      assert.deepEqual(await read('default-a'), consent);
      const until = { ...consent, until: '2034-05-01' };
      await store.savePerson('default-a', { ...KEN, consent: until });
      await store.movePerson('default-a', 'default-b');
      assert.deepEqual(await read('default-b'), until);
      await store.addFace(faceOf('default-c'), vector(), { profile: { ...KEN, consent } });
      assert.deepEqual(await read('default-c'), consent);
      await store.mergePerson('default-c', 'default-b');
      assert.deepEqual(await read('default-b'), until, 'who stays keeps theirs');
      await store.addPeople([{ faceid: 'default-d', profile: { ...KEN, consent }, faces: [] }]);
      assert.deepEqual(await read('default-d'), consent);
      await store.savePerson('default-b', KEN);
      assert.equal(await read('default-b'), undefined);
      assert.deepEqual(
        (await store.load()).people.map((person) => person.consent),
        [undefined, consent],
      );
    });

    it('take people by the many, whole, and leave those who are there as they are', async (t) => {
      const open = await prepare(t);
      const [store, other] = [await open(), await open()];
      await other.addFace(faceOf('default-c'), vector(), { profile: KEN });
      const [a, b] = [vector(), vector()];
      const faces = [
        { face: faceOf('default-a', 1), vector: a, crop: CROP },
        { face: faceOf('default-a', 2), vector: b },
      ];
      const profile = { username: '健', metadata: { desk: '9' } };
      const wrong = {
        faceid: 'default-d',
        profile,
        faces: [{ face: faceOf('default-d'), vector: new Float32Array(3) }],
      };
      const { id, enrolledAt: at } = faceOf('default-a', 3);
      const notTheirs = {
        correction: { id, faceid: 'default-a', at, hasPicture: true },
        vector: vector(),
        crop: CROP,
      };
      const people = ['default-a', 'default-b', 'default-c'].map((faceid, i) => {
        return { faceid, profile, faces: i === 0 ? faces : [], corrections: i === 0 ? [notTheirs] : [] };
      });
      await assert.rejects(store.addPeople([people[0], wrong]), RangeError);
      const noVector = { ...people[1], corrections: [{ ...notTheirs, vector: new Float32Array(3) }] };
      await assert.rejects(store.addPeople([people[0], noVector]), RangeError);
      assert.deepEqual(await other.list(), ['default-c'], 'nobody is made beside what is no embedding');
      assert.deepEqual(await other.corrected(), []);
      assert.deepEqual(await store.addPeople(people), [true, true, false]);
      assert.deepEqual(await store.addPeople(people), [false, false, false]);
      const there = await other.readPerson('default-a', new Set());
      assert.deepEqual(
        [there?.username, there?.metadata, there?.faces.map((face) => [face.vector, face.hasPicture])],
        [
          '健',
          { desk: '9' },
          [
            [a, true],
            [b, false],
          ],
        ],
      );
      assert.deepEqual(there?.corrections, [{ ...notTheirs.correction, vector: notTheirs.vector }]);
      assert.deepEqual(await other.corrected(), ['default-a']);
      for (const face of [faces[0].face, notTheirs.correction])
        assert.deepEqual(new Uint8Array((await other.picture(face)) ?? []), CROP);
      assert.deepEqual((await other.readPerson('default-b', new Set()))?.faces, []);
      const kept = await other.readPerson('default-c', new Set());
      assert.deepEqual([kept?.username, kept?.faces.length], ['Ken', 1]);
      assert.deepEqual((await other.list()).sort(), ['default-a', 'default-b', 'default-c']);
    });

    it('keep the name when a face is added without one, and the person when the last face goes', async (t) => {
      const store = await (await prepare(t))();
      const face = faceOf('default-a');
      await store.createPerson('default-a', KEN);
      await store.addFace(face, vector(), {});
      assert.equal(await store.removeFace(face), true);
      assert.equal(await store.removeFace(face), false);
      const { username, faces } = (await store.readPerson('default-a', new Set())) ?? {};
      assert.deepEqual([username, faces], ['Ken', []]);
      const nameless = faceOf('default-b');
      await store.addFace(nameless, vector(), {});
      await store.removeFace(nameless);
      assert.deepEqual((await store.list()).sort(), ['default-a', 'default-b']);
    });

    it('forget a person with all faces', async (t) => {
      const store = await (await prepare(t))();
      await store.addFace(faceOf('default-a'), vector(), { profile: KEN, crop: CROP });
      const held = { faces: 1, pictures: 1, corrections: 0 };
      assert.deepEqual(await store.removePerson('default-a'), held);
      assert.equal(await store.removePerson('default-a'), undefined);
      assert.deepEqual(await store.list(), []);
      await store.addFace(faceOf('default-a', 1), vector(), {});
      const again = await store.readPerson('default-a', new Set());
      assert.deepEqual([again?.username, again?.faces.length], ['', 1]);
    });

    it('move a person where nobody is, and merge one into another', async (t) => {
      const store = await (await prepare(t))();
      const [a, b] = [vector(), vector()];
      await store.addFace(faceOf('default-a'), a, { profile: KEN });
      await store.addFace(faceOf('default-b'), b, {});
      assert.equal(await store.movePerson('default-a', 'default-b'), 'exists');
      assert.equal(await store.movePerson('default-c', 'default-d'), 'missing');
      assert.equal(await store.movePerson('default-a', 'staff-a'), 'moved');
      const moved = await store.readPerson('staff-a', new Set());
      assert.equal(moved?.username, 'Ken');
      assert.match(moved.faces[0].id, /^staff-a_/);
      assert.deepEqual(moved.faces[0].vector, a);
      assert.equal(await store.mergePerson('staff-a', 'default-c'), false);
      assert.equal(await store.mergePerson('staff-a', 'default-b'), true);
      assert.deepEqual(await store.list(), ['default-b']);
      const both = await store.readPerson('default-b', new Set());
      assert.deepEqual(
        new Set(both?.faces.map((face) => String(face.vector))),
        new Set([String(a), String(b)]),
      );
    });

    it('hold what was said of a person, and move, merge and forget it with them', async (t) => {
      const open = await prepare(t);
      const [store, other] = [await open(), await open()];
      const said = (faceid: string, second: number) => {
        const { id, enrolledAt: at } = faceOf(faceid, second);
        return { id, faceid, at, hasPicture: second === 1 };
      };
      const [late, early] = [said('default-a', 9), said('default-a', 1)];
      const [a, b] = [vector(), vector()];
      assert.equal(await store.addCorrection(late, a), false, 'nobody is made by it');
      await store.addFace(faceOf('default-a'), vector(), {});
      await store.addFace(faceOf('default-b'), vector(), {});
      assert.equal(await store.addCorrection(late, a), true);
      assert.equal(await store.addCorrection(early, b, CROP), true);
      const read = async (faceid: string) =>
        (await other.readPerson(faceid, new Set()))?.corrections?.map((one) => ({ ...one, id: '' }));
      const both = (faceid: string) => [
        { ...early, id: '', faceid, vector: b },
        { ...late, id: '', faceid, vector: a },
      ];
      assert.deepEqual(await read('default-a'), both('default-a'));
      assert.deepEqual(await other.corrected(), ['default-a']);
      assert.deepEqual((await other.load()).people[0].corrections?.length, 2);
      assert.deepEqual(new Uint8Array((await other.picture(early)) ?? []), CROP);
      await assert.rejects(store.addCorrection(said('default-a', 2), new Float32Array(3)), RangeError);

      assert.equal(await store.movePerson('default-a', 'staff-a'), 'moved');
      assert.deepEqual(await read('staff-a'), both('staff-a'));
      assert.equal(await store.mergePerson('staff-a', 'default-b'), true);
      assert.deepEqual(await read('default-b'), both('default-b'));
      assert.deepEqual(await other.corrected(), ['default-b']);
      const [first, second] = (await other.readPerson('default-b', new Set()))?.corrections ?? [];
      assert.deepEqual(new Uint8Array((await other.picture(first)) ?? []), CROP);
      assert.equal(await store.removeCorrection(second), true);
      assert.equal(await store.removeCorrection(second), false);
      assert.deepEqual(await read('default-b'), both('default-b').slice(0, 1));
      assert.equal((await other.readPerson('default-b', new Set()))?.faces.length, 2, 'the faces stay');

      await store.removePerson('default-b');
      assert.deepEqual(await other.corrected(), []);
      assert.equal(await other.picture(first), undefined);
      await store.addFace(faceOf('default-b'), vector(), {});
      assert.deepEqual(await read('default-b'), []);
    });

    it('hold the threshold that was chosen for a pack', async (t) => {
      const open = await prepare(t);
      const [store, other] = [await open(), await open()];
      assert.equal(await store.readThreshold(), undefined);
      await store.saveThreshold(0.25);
      assert.equal(await other.readThreshold(), 0.25);
      assert.equal(await (await open('another')).readThreshold(), undefined);
      await store.saveThreshold(undefined);
      assert.equal(await other.readThreshold(), undefined);
      await store.saveThreshold(undefined);
    });

    it('hold groups, the oldest first', async (t) => {
      const open = await prepare(t);
      const store = await open();
      assert.equal(await store.createGroup({ groupid: 'staff', groupname: 'Staff' }), true);
      assert.equal(await store.createGroup({ groupid: 'staff', groupname: 'Other' }), false);
      await store.saveGroup({ groupid: 'default', groupname: 'Everyone' });
      assert.deepEqual(await (await open()).readGroups(), [
        { groupid: 'default', groupname: 'Everyone' },
        { groupid: 'staff', groupname: 'Staff' },
      ]);
      assert.equal(await store.removeGroup('staff'), true);
      assert.equal(await store.removeGroup('staff'), false);
    });
  });
}
