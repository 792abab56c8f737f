/** What happens when an engine has lost its vectors while Redis still says who is there: nobody becomes "unknown" unsaid. */
import assert from 'node:assert/strict';
import { after, describe, it, type TestContext } from 'node:test';
import { type CopyOptions, copyGallery } from '../../src/gallery/copy-gallery.js';
import { createRemoteGallery } from '../../src/gallery/remote/remote-gallery.js';
import type { RemoteStore } from '../../src/gallery/remote/remote-store.js';
import type { MilvusSdk } from '../../src/gallery/remote/milvus-client.js';
import { openCollection } from '../../src/gallery/remote/milvus-collection.js';
import { engineOn } from '../../src/gallery/remote/milvus-engine.js';
import { createFileStore } from '../../src/gallery/store/file-store.js';
import type { EmbeddingStore } from '../../src/gallery/store/store.js';
import { loadConfig } from '../../src/settings/config.js';
import { TINY } from '../support/galleries.js';
import { createPlainEngine, type PlainEngine } from '../support/plain-engine.js';
import { REDIS_MISSING, startRedis } from '../support/redis.js';
import { forWholeFile } from '../support/redis-kinds.js';
import { openRemoteStore } from '../support/remote-stores.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';
import { randomUnitVector, seededRandom } from '../support/vectors.js';

const random = seededRandom(1903);
const settingsOfOne = forWholeFile(async (t) => (await startRedis(t)).settings, after);

/** Adds people with so many faces each. @returns their vectors by face */
async function fill(store: EmbeddingStore, faces: readonly number[]): Promise<Map<string, Float32Array>> {
  const vectors = new Map<string, Float32Array>();
  for (const [i, count] of faces.entries())
    for (let second = 1; second <= count; second++) {
      const faceid = `default-u${i}`;
      const id = `${faceid}_20260102_03040${second}_m1`;
      const enrolledAt = `2026-01-02T03:04:0${second}Z`;
      const vector = randomUnitVector(random, TINY);
      await store.addFace({ id, faceid, enrolledAt, automatic: false, hasPicture: false }, vector, {});
      vectors.set(id, vector);
    }
  return vectors;
}

/** Without waiting for what is late by the clock: everything is in the engine alone. */
const settle = (store: RemoteStore): Promise<void> =>
  until(async () => {
    await store.journal.sweep();
    return (await store.journal.unsettled()) === 0;
  });

function loseAll(engine: PlainEngine): void {
  for (const id of engine.ids('tiny')) engine.lose('tiny', id);
  assert.deepEqual(engine.ids('tiny'), []);
}

const copy = (from: EmbeddingStore, to: RemoteStore, log?: CopyOptions['log']) =>
  copyGallery({
    ...{ from, to, log, exact: false, progress: () => undefined, signal: new AbortController().signal },
    engine: {
      other: from,
      settled: () => to.journal.carried(),
      held: (ids) => to.engine.held(ids, { fresh: true }),
      vectors: (ids) => to.engine.vectors(ids, { fresh: true }),
    },
  });

async function files(t: TestContext): Promise<EmbeddingStore> {
  const folder = await temporaryFolder(t);
  const options = { folder, pack: 'tiny', length: TINY };
  const store = createFileStore({ ...options, warn: (message) => assert.fail(message) });
  t.after(() => store.close());
  await store.prepare();
  return store;
}

describe('an engine that has lost its vectors', { skip: REDIS_MISSING }, () => {
  it('gets them all back from a copy of the gallery, and everybody is found again', async (t) => {
    const engine = createPlainEngine();
    const backup = await files(t);
    const vectors = await fill(backup, [1, 3, 1, 2]);
    const store = await openRemoteStore(await settingsOfOne(), (pack) => Promise.resolve(engine.open(pack)));
    t.after(() => store.close());
    assert.equal((await copy(backup, store)).written, 4);
    await settle(store);
    const before = engine.ids('tiny').length;
    assert.equal((await copy(backup, store)).written, 0, 'whoever is there is left alone');
    loseAll(engine);
    const { written, differing, faces, farthest } = await copy(backup, store);
    assert.deepEqual({ written, differing, faces }, { written: 4, differing: [], faces: 7 });
    assert.ok(farthest < 1e-9);
    await settle(store);
    assert.equal(engine.ids('tiny').length, before, 'faces, and templates again');
    const [one] = vectors.keys();
    engine.lose('tiny', one);
    assert.equal((await copy(backup, store)).written, 1, 'and a single one');
    await settle(store);
    const gallery = await createRemoteGallery({ pack: 'tiny', templates: true, store });
    t.after(() => gallery.close());
    for (const [id, vector] of vectors) {
      const [{ person, distance }] = await gallery.nearest(vector, 1);
      assert.ok(id.startsWith(person.faceid) && distance < 1e-6, id);
    }
  });

  for (const [what, isMade] of [
    ['is not there', false],
    ['is empty', true],
  ] as const)
    it(`is not used where its collection ${what}, and running workers see none either; a copy may fill it`, async (t) => {
      const settings = await settingsOfOne();
      const engine = createPlainEngine();
      const milvus = createPlainMilvus(engine);
      const open = (isRestored = false) =>
        openRemoteStore(settings, async (pack, length, expected) => {
          const config = loadConfig({ REDIS_PREFIX: settings.prefix });
          await openCollection(milvus.sdk, {
            ...{ config, pack, length },
            expected: isRestored ? undefined : expected,
          });
          return { ...engine.open(pack), settles };
        });
      // The first leaves its vectors in Redis.
      let settles = 60_000;
      const first = await open();
      settles = 50;
      t.after(() => first.close());
      await first.prepare();
      await fill(first, [1, 1, 1]);
      await first.journal.carried();

      // A gallery just begun: Redis has what the engine may lack.
      loseAll(engine);
      milvus.isLoaded = false;
      const second = await open();
      t.after(() => second.close());
      await settle(second);
      assert.equal(engine.ids('tiny').length, 3, 'and it writes that again');

      loseAll(engine);
      milvus.isMade = isMade;
      milvus.isLoaded = false;
      const refused = open();
      void refused.then(
        (store) => store.close(),
        () => undefined,
      );
      await assert.rejects(refused, {
        code: 'SETUP',
        message:
          /^Redis has 3 faces .* holds 0: .* MILVUS_URL .* kaomon gallery copy --from file --to milvus/,
      });
      assert.deepEqual([milvus.isMade, milvus.isLoaded], [isMade, false]);
      const restored = await open(true);
      t.after(() => restored.close());
      assert.deepEqual([milvus.isMade, milvus.isLoaded], [true, true]);
    });
});

describe('an engine that loses its vectors under a worker that runs', () => {
  it('is not searched until they are back, and says that it has lost them', async (t) => {
    const rows = createPlainEngine();
    const milvus = Object.assign(createPlainMilvus(rows), { isMade: true });
    const said: string[] = [];
    const options = { config: loadConfig({}), pack: 'tiny', length: TINY, lookEvery: 0 };
    const vector = randomUnitVector(random, TINY);
    const row = { person: 'g-ann', group: 'g', vector };
    const fillWith = (count: number) =>
      rows.open('tiny').write(Array.from({ length: count }, (_, i) => ({ ...row, id: `f${i}` })));
    await fillWith(4);
    const running = await engineOn(milvus.sdk, {
      ...options,
      expected: () => Promise.resolve(4),
      warn: (message) => void said.push(message),
    });
    t.after(() => running.close());
    assert.equal(await running.obstacle(), undefined);
    assert.deepEqual(await running.search(vector, 1), []);
    for (let i = 0; i < 3; i++) rows.lose('tiny', `f${i}`);
    assert.equal(await running.obstacle(), 'milvus empty');
    assert.equal(running.trouble(), 'milvus empty');
    await assert.rejects(running.search(vector, 1), { code: 'STORE_UNAVAILABLE', message: /has lost them/ });
    assert.match(said[0], /has lost them.*Redis has 4 faces.*holds 1.*gallery copy/);
    await fillWith(2);
    await until(() => Promise.resolve(running.trouble() === undefined));
    assert.deepEqual(await running.search(vector, 1), []);
    assert.deepEqual(said.slice(1), ['Milvus has its faces again.']);
  });
});

/** What the opening of a collection asks of Milvus: whether it is there, loaded, and how many rows it has. */
function createPlainMilvus(engine: PlainEngine) {
  const state = { isMade: false, isLoaded: false };
  const answer = (more: object = {}) => Promise.resolve({ error_code: 'Success', ...more });
  const change = (to: Partial<typeof state>) => () => {
    Object.assign(state, to);
    return answer();
  };
  const param = (key: string, value: string) => ({ key, value });
  const fields = [
    { name: 'id', data_type: 'VarChar', is_primary_key: true, type_params: [] },
    { name: 'person', data_type: 'VarChar', type_params: [] },
    { name: 'group', data_type: 'VarChar', is_partition_key: true, type_params: [] },
    { name: 'vector', data_type: 'FloatVector', type_params: [param('dim', String(TINY))] },
  ];
  const params = [param('index_type', 'FLAT'), param('metric_type', 'L2')];
  const sdk = {
    hasCollection: () => answer({ value: state.isMade }),
    createCollection: change({ isMade: true, isLoaded: false }),
    createIndex: () => answer(),
    describeCollection: () => answer({ schema: { fields } }),
    describeIndex: () => answer({ index_descriptions: [{ field_name: 'vector', params }] }),
    getLoadState: () => answer({ state: state.isLoaded ? 'LoadStateLoaded' : 'LoadStateNotLoad' }),
    loadCollection: change({ isLoaded: true }),
    releaseCollection: change({ isLoaded: false }),
    checkHealth: () => answer({ isHealthy: true, reasons: [] }),
    search: () => answer({ results: [] }),
    closeConnection: () => Promise.resolve(),
    query: () => answer({ data: [{ 'count(*)': String(engine.ids('tiny').length) }] }),
  };
  return Object.assign(state, { sdk: sdk as unknown as MilvusSdk });
}
