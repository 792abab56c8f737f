import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { loadConfig } from '../../src/settings/config.js';
import type { GalleryEvent } from '../../src/events/event.js';
import { acrossPacks } from '../../src/gallery/store/across-packs.js';
import { createFileStore } from '../../src/gallery/store/file-store.js';
import { createGallery, type LiveGallery } from '../../src/gallery/gallery.js';
import { createExactIndex } from '../../src/gallery/index/exact-index.js';
import { openGallery } from '../../src/gallery/open.js';
import { createRedisStore } from '../../src/gallery/store/redis-store.js';
import type { EmbeddingStore } from '../../src/gallery/store/store.js';
import { filesBelow } from '../support/files-below.js';
import { REDIS_MISSING, startRedis } from '../support/redis.js';
import { until } from '../support/until.js';
import { temporaryFolder } from '../support/temporary.js';
import { everybody } from '../support/galleries.js';

const warn = () => undefined;
const LENGTHS: Record<string, number> = { old: 4, new: 8 };

interface Place {
  raw: (pack: string) => Promise<EmbeddingStore>;
  /** Names of everything that is kept. */
  names: () => Promise<string[]>;
}

async function files(t: TestContext): Promise<Place> {
  const folder = await temporaryFolder(t);
  return {
    raw: (pack) => Promise.resolve(createFileStore({ folder, pack, length: LENGTHS[pack], warn })),
    names: () => filesBelow(folder),
  };
}

async function redis(t: TestContext): Promise<Place> {
  const { settings } = await startRedis(t);
  const { openRedis } = await import('../../src/platform/redis.js');
  const connection = openRedis(settings, 'commands', () => undefined);
  t.after(() => connection.disconnect());
  return {
    async raw(pack) {
      const store = await createRedisStore({ redis: settings, pack, length: LENGTHS[pack], warn });
      t.after(() => store.close());
      return store;
    },
    async names() {
      const names = await connection.keys('*');
      for (const name of names) if (name.includes(':people:')) names.push(...(await connection.hkeys(name)));
      return names;
    },
  };
}

const unit = (pack: string, axis: number) =>
  Float32Array.from({ length: LENGTHS[pack] }, (_, i) => Number(i === axis));
const KEN = { groupid: 'default', userid: 'ken' };

for (const [name, skip, prepare] of [
  ['files', false, files],
  ['Redis', REDIS_MISSING, redis],
] as const) {
  describe(`A gallery of several packs in ${name}`, { skip }, () => {
    /** Ken (two faces) and Mai (one) enrolled with the pack `old`. */
    async function start(t: TestContext) {
      const place = await prepare(t);
      const open = async (pack: string): Promise<LiveGallery> => {
        const store = acrossPacks(await place.raw(pack));
        const index = createExactIndex(LENGTHS[pack]);
        return await createGallery({ pack, store, index, templates: true });
      };
      const old = await open('old');
      await old.enrol({ ...KEN, username: '健', crop: Uint8Array.of(1) }, unit('old', 0));
      await old.updatePerson('default-ken', { metadata: { badge: 7 } });
      await old.enrol(KEN, unit('old', 1));
      await old.enrol({ groupid: 'default', userid: 'mai', username: 'Mai' }, unit('old', 2));
      return { ...place, open };
    }
    const summary = async (gallery: LiveGallery) =>
      (await everybody(gallery)).map(({ faceid, username, faces }) => [faceid, username, faces.length]);

    it('lists everyone after a change of pack, by name, to be enrolled again', async (t) => {
      const { open } = await start(t);
      const gallery = await open('new');
      assert.deepEqual(await summary(gallery), [
        ['default-ken', '健', 0],
        ['default-mai', 'Mai', 0],
      ]);
      assert.deepEqual((await gallery.person('default-ken'))?.metadata, { badge: 7 });
      assert.deepEqual(await gallery.nearest(unit('new', 0), 1), []);
      assert.deepEqual(await gallery.vectors('default-ken'), []);
      await gallery.enrol(KEN, unit('new', 0));
      await gallery.updatePerson('default-mai', { username: 'Mai S.' });
      const expected = [
        ['default-ken', '健', 1],
        ['default-mai', 'Mai S.', 0],
      ];
      assert.deepEqual(await summary(gallery), expected);
      await gallery.reload();
      assert.deepEqual(await summary(gallery), expected);
      const again = await open('new');
      assert.deepEqual(await summary(again), expected);
      assert.deepEqual((await again.person('default-ken'))?.metadata, { badge: 7 });
      assert.deepEqual(await summary(await open('old')), [
        ['default-ken', '健', 2],
        ['default-mai', 'Mai', 1],
      ]);
    });

    it('has one consent for all packs: a renewed one does not end with the old pack’s', async (t) => {
      const { open } = await start(t);
      const consentOf = async (pack: string) =>
        (await (await open(pack)).person('default-ken'))?.consent?.until;
      const consent = { given: '2024-05-02', how: 'form', until: '2030-01-01', by: 'office' } as const;
      await (await open('old')).updatePerson('default-ken', { consent });
      const gallery = await open('new');
      await gallery.enrol(KEN, unit('new', 0));
      assert.equal(await consentOf('new'), '2030-01-01');
      await gallery.updatePerson('default-ken', { consent: { ...consent, until: '2034-01-01' } });
      assert.deepEqual([await consentOf('old'), await consentOf('new')], ['2034-01-01', '2034-01-01']);
      await gallery.enrol({ ...KEN, consent: { ...consent, until: '2035-01-01' } }, unit('new', 1));
      assert.equal(await consentOf('old'), '2035-01-01');
      await gallery.updatePerson('default-ken', { consent: null });
      assert.equal(await consentOf('old'), undefined);
    });

    it('makes nobody a second time whom another pack has', async (t) => {
      const { open } = await start(t);
      const gallery = await open('new');
      await assert.rejects(gallery.createPerson({ ...KEN, username: 'X' }), { code: 'PERSON_EXISTS' });
      await assert.rejects(gallery.movePerson('default-mai', KEN), { code: 'PERSON_EXISTS' });
    });

    it('deletes people and their faces in every pack', async (t) => {
      const { open, names } = await start(t);
      const old = await open('old');
      const gallery = await open('new');
      await gallery.enrol({ groupid: 'default', userid: 'mai' }, unit('new', 0));
      await gallery.remove('default', 'ken');
      await gallery.remove('default', 'mai');
      assert.deepEqual(await summary(gallery), []);
      assert.deepEqual(
        (await names()).filter((one) => /ken|mai/.test(one)),
        [],
        'nothing of them is kept',
      );
      assert.deepEqual(await summary(await open('new')), []);
      assert.deepEqual(await summary(await open('old')), []);
      // A worker that runs with the other pack is told.
      const removed = (faceid: string): GalleryEvent => ({
        ...{ kind: 'removed', groupid: 'default', faceid, at: '2026-01-01T00:00:00Z' },
        ...{ uid: faceid, worker: 'another', pack: 'new' },
      });
      const told: unknown[] = [];
      old.subscribe(({ kind, faceid }) => told.push([kind, faceid]));
      await old.apply(removed('default-ken'));
      assert.deepEqual(await summary(old), [['default-mai', 'Mai', 1]]);
      assert.deepEqual(told, [['removed', 'default-ken']]);
      assert.equal((await old.nearest(unit('old', 0), 1)).at(0)?.person.userid, 'mai');
    });

    it('deletes a face in every pack that has it', async (t) => {
      const { open, raw } = await start(t);
      const old = await open('old');
      const [first, second] = (await old.person('default-ken'))?.faces ?? [];
      // As reembed does.
      await (await raw('new')).addFace({ ...first, hasPicture: false }, unit('new', 0), {});
      const gallery = await open('new');
      await gallery.removeFace('default-ken', first.id);
      assert.deepEqual(
        (await (await open('old')).person('default-ken'))?.faces.map(({ id }) => id),
        [second.id],
      );
    });

    it('moves and merges people in every pack', async (t) => {
      const { open } = await start(t);
      const gallery = await open('new');
      await gallery.createGroup({ groupid: 'staff', groupname: 'Staff' });
      const moved = await gallery.movePerson('default-ken', { groupid: 'staff', userid: 'kenji' });
      assert.deepEqual([moved.username, moved.metadata], ['健', { badge: 7 }]);
      const expected = [
        ['default-mai', 'Mai'],
        ['staff-kenji', '健'],
      ];
      for (const pack of ['new', 'old'])
        assert.deepEqual(
          (await summary(await open(pack))).map((person) => person.slice(0, 2)),
          expected,
        );
      assert.equal((await (await open('old')).person('staff-kenji'))?.faces.length, 2);
      await gallery.mergePerson('staff-kenji', 'default-mai');
      assert.deepEqual(await summary(gallery), [['default-mai', 'Mai', 0]]);
      assert.deepEqual(await summary(await open('new')), [['default-mai', 'Mai', 0]]);
      assert.deepEqual(await summary(await open('old')), [['default-mai', 'Mai', 3]]);
    });
  });
}

it('A start with another pack says how many are to be enrolled again, and lists them', async (t) => {
  const folder = await temporaryFolder(t);
  const config = { ...loadConfig({ EMBEDDINGS_DIR: folder }), EVENT_LOG: 'none' as const };
  const open = async (pack: string) => {
    const warnings: string[] = [];
    const { gallery } = await openGallery(config, {
      pack: { id: pack, embedder: { length: LENGTHS[pack] } },
      index: createExactIndex(LENGTHS[pack]),
      warn: (message) => warnings.push(message),
      follow: false,
    });
    t.after(() => gallery.close());
    return { gallery, warnings };
  };
  const old = await open('old');
  for (const [i, userid] of ['ken', 'mai'].entries())
    await old.gallery.enrol({ groupid: 'default', userid }, unit('old', i));
  assert.deepEqual(old.warnings, []);
  const { gallery, warnings } = await open('new');
  await until(() => warnings.length > 0);
  assert.match(
    warnings.join('\n'),
    /^2 people have no picture that the pack new can compare: enrol them again/,
  );
  assert.equal((await everybody(gallery)).length, 2);
  for (const [i, userid] of ['ken', 'mai'].entries())
    await gallery.enrol({ groupid: 'default', userid }, unit('new', i));
  assert.deepEqual((await open('new')).warnings, []);
});
