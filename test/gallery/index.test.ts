import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { createCurrentIndex } from '../../src/gallery/index/current-index.js';
import { createFaissIndex } from '../../src/gallery/index/faiss-index.js';
import type { Found, Hit, VectorIndex } from '../../src/gallery/index/vector-index.js';
import { ENGINES, WITHOUT_FAISS } from '../support/engines.js';
import { identities, randomUnitVector, seededRandom } from '../support/vectors.js';

/** What every index must agree with: ids by squared distance. */
function nearestOf(model: ReadonlyMap<string, Float32Array>, query: Float32Array, k: number) {
  return [...model]
    .map(([id, other]) => ({ id, distance: other.reduce((sum, v, i) => sum + (v - query[i]) ** 2, 0) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, k);
}

/** The `k` nearest that live: deeper and deeper until there are as many. */
async function nearestIn(index: VectorIndex, query: Float32Array, k: number): Promise<Hit[]> {
  for (let depth = k; ; depth *= 4) {
    const { hits, isAll } = await index.search(query, depth);
    if (hits.length >= k || isAll) return hits.slice(0, k);
  }
}

const KINDS = ENGINES.flatMap((engine) => [
  engine,
  {
    ...engine,
    name: `${engine.name}, kept current,`,
    create: (length: number) => createCurrentIndex(engine.create(length)),
  },
]);

for (const { name, create, skip, exact } of KINDS) {
  describe(`the ${name} index`, { skip }, () => {
    function open(t: TestContext, length: number): VectorIndex {
      const index = create(length);
      t.after(() => index.close());
      return index;
    }

    it('answers squared L2 distances, nearest first', async (t) => {
      const index = open(t, 3);
      index.add('far', Float32Array.of(0, 0, 5));
      index.add('near', Float32Array.of(1, 0, 0));
      index.add('middle', Float32Array.of(0, 3, 0));
      assert.deepEqual(await nearestIn(index, Float32Array.of(0, 0, 0), 2), [
        { id: 'near', distance: 1 },
        { id: 'middle', distance: 9 },
      ]);
    });

    it('answers what there is when k is larger, and nothing when it is empty', async (t) => {
      const index = open(t, 2);
      assert.deepEqual(await nearestIn(index, Float32Array.of(1, 1), 5), []);
      index.add('one', Float32Array.of(1, 1));
      assert.deepEqual(await nearestIn(index, Float32Array.of(1, 1), 5), [{ id: 'one', distance: 0 }]);
      assert.equal(index.remove('one'), true);
      assert.deepEqual(await nearestIn(index, Float32Array.of(1, 1), 5), []);
    });

    it('copies what it is given', async (t) => {
      const index = open(t, 2);
      const vector = Float32Array.of(1, 0);
      index.add('a', vector);
      vector.fill(9);
      const query = Float32Array.of(1, 0);
      const searching = index.search(query, 1);
      query.fill(9);
      assert.equal((await searching).hits[0].distance, 0);
    });

    it('refuses what the engine would crash or lie on', (t) => {
      const index = open(t, 2);
      index.add('a', Float32Array.of(1, 0));
      assert.throws(() => index.add('a', Float32Array.of(0, 1)), /taken/);
      assert.throws(() => index.add('b', Float32Array.of(1)), /2 numbers/);
      assert.throws(() => index.add('b', Float32Array.of(NaN, 0)), /finite/);
      assert.throws(() => void index.search(Float32Array.of(Infinity, 0), 1), /finite/);
      assert.throws(() => void index.search(Float32Array.of(1, 0, 0), 1), /2 numbers/);
      for (const k of [0, -1, 1.5, NaN]) {
        assert.throws(() => void index.search(Float32Array.of(1, 0), k), /k must be/);
      }
      assert.equal(index.size, 1);
    });

    it('equals a naive search through 2,000 random additions and removals', async (t) => {
      const random = seededRandom(7);
      const index = open(t, 8);
      const model = new Map<string, Float32Array>();
      for (let step = 0; step < 2000; step++) {
        const id = `v${Math.floor(random() * 300)}`;
        const vector = randomUnitVector(random, 8);
        if (model.delete(id)) assert.equal(index.remove(id), true);
        else {
          assert.equal(index.remove(id), false);
          index.add(id, vector);
          model.set(id, vector);
        }
        if (step % 20 !== 0 || model.size === 0) continue;
        const query = randomUnitVector(random, 8);
        const expected = nearestOf(model, query, 5);
        const hits = await nearestIn(index, query, 5);
        assert.deepEqual(
          hits.map((hit) => hit.id),
          expected.map((hit) => hit.id),
        );
        hits.forEach((hit, i) => assert.ok(Math.abs(hit.distance - expected[i].distance) < 1e-4));
      }
      assert.equal(index.size, model.size);
    });

    it('forgets at once: no search that ends after a removal answers it, and it still fills k', async (t) => {
      const index = open(t, 16);
      const random = seededRandom(3);
      const kept = randomUnitVector(random, 16);
      index.add('kept', kept);
      for (let i = 0; i < 3000; i++) index.add(`near${i}`, kept);
      await index.settled();
      const searching = nearestIn(index, kept, 3001);
      for (let i = 0; i < 3000; i++) index.remove(`near${i}`);
      assert.deepEqual(await searching, [{ id: 'kept', distance: 0 }]);
      assert.deepEqual(await nearestIn(index, kept, 1), [{ id: 'kept', distance: 0 }]);
      await index.settled();
      assert.deepEqual(await nearestIn(index, kept, 5), [{ id: 'kept', distance: 0 }]);
    });

    it('finds whom it should while vectors are added and removed and whatever it builds is built', async (t) => {
      const length = 32;
      const index = open(t, length);
      const people = identities(seededRandom(11), length, { people: 1500, faces: 4 });
      const model = new Map<string, Float32Array>();
      const seen = { asked: 0, found: 0 };
      let step = 0;
      for (const { id, vector } of people.faces()) {
        index.add(id, vector);
        model.set(id, vector);
        step += 1;
        if (step % 3 === 0) {
          const gone = [...model.keys()][Math.floor(model.size / 2)];
          assert.equal(index.remove(gone), true);
          model.delete(gone);
        }
        if (step % 40 !== 0) continue;
        const query = people.probe(id);
        const pending = nearestIn(index, query, 3);
        const [expected] = nearestOf(model, query, 1);
        const hits = await pending;
        assert.equal(hits.length, 3);
        assert.equal(new Set(hits.map((hit) => hit.id)).size, 3);
        assert.ok(hits.every((hit) => model.has(hit.id)));
        seen.asked += 1;
        if (hits[0].id === expected.id) seen.found += 1;
      }
      assert.equal(index.size, model.size);
      if (exact) assert.equal(seen.found, seen.asked);
      else assert.ok(seen.found / seen.asked > 0.95, `${seen.found} of ${seen.asked}`);
      await index.settled();
      // Nothing was lost on the way: each vector is found by itself.
      let lost = 0;
      for (const [id, vector] of model) if ((await nearestIn(index, vector, 1))[0].id !== id) lost += 1;
      assert.equal(lost, 0);
    });

    it('may be closed in the middle of everything', async () => {
      const index = create(32);
      const random = seededRandom(5);
      for (let i = 0; i < 6000; i++) index.add(`v${i}`, randomUnitVector(random, 32));
      const searching = index.search(randomUnitVector(random, 32), 1);
      await new Promise((resolve) => setImmediate(resolve));
      await index.close();
      await searching.catch(() => undefined);
    });
  });
}

describe('an index that is kept current', () => {
  /** An index whose searches end when they are told to. */
  function slow() {
    const ends: (() => void)[] = [];
    const vectors = new Map<string, Float32Array>();
    const index: VectorIndex = {
      kind: 'slow',
      get size() {
        return vectors.size;
      },
      add: (id, vector) => void vectors.set(id, vector.slice()),
      remove: (id) => vectors.delete(id),
      async search(query, k): Promise<Found> {
        const then = new Map(vectors);
        await new Promise<void>((resolve) => ends.push(resolve));
        const nearest = nearestOf(then, query, k);
        return { hits: nearest.filter(({ id }) => vectors.has(id)), isAll: nearest.length < k };
      },
      settled: () => Promise.resolve(),
      close: () => Promise.resolve(),
    };
    return { index: createCurrentIndex(index), ends };
  }

  const ids = async (answer: Promise<Found>) => (await answer).hits.map(({ id }) => id);
  const at = (place: number) => Float32Array.of(place);

  it('answers what came while the search was under way, in its place, and not what went again', async () => {
    const { index, ends } = slow();
    index.add('a', at(1));
    index.add('c', at(3));
    const first = index.search(at(0), 3);
    index.add('gone', at(0));
    index.add('b', at(2));
    const second = index.search(at(0), 9);
    index.remove('gone');
    index.remove('a');
    index.add('d', at(4));
    ends.forEach((end) => end());
    assert.deepEqual((await first).hits, [
      { id: 'b', distance: 4 },
      { id: 'c', distance: 9 },
      { id: 'd', distance: 16 },
    ]);
    assert.deepEqual(await ids(second), ['b', 'c', 'd']);
  });

  it('keeps to the searches that are under way, whichever ends first', async () => {
    const { index, ends } = slow();
    const searches: Promise<Found>[] = [];
    for (let i = 0; i < 6; i++) {
      searches.push(index.search(at(0), 20));
      index.add(`v${i}`, at(i));
    }
    const all = ['v0', 'v1', 'v2', 'v3', 'v4', 'v5'];
    for (const i of [3, 0, 1, 5, 2, 4]) {
      ends[i]();
      assert.deepEqual(await ids(searches[i]), all);
      index.add(`w${i}`, at(10 + i));
      all.push(`w${i}`);
      all.sort((a, b) => a.localeCompare(b));
    }
  });
});

describe('the lists of faiss IVFFlat', { skip: WITHOUT_FAISS }, () => {
  it('come when there are enough vectors, are made anew when there are many more, and go when few are left', async (t) => {
    const notes: string[] = [];
    const index = createFaissIndex(8, { listsFrom: 2000, note: (message) => notes.push(message) });
    t.after(() => index.close());
    const random = seededRandom(1);
    const fill = async (from: number, to: number) => {
      for (let i = from; i < to; i++) index.add(`v${i}`, randomUnitVector(random, 8));
      await index.settled();
    };
    await fill(0, 1999);
    assert.equal(index.kind, 'flat');
    await fill(1999, 3000);
    assert.equal(index.kind, 'ivfflat');
    await fill(3000, 5000);
    assert.equal(notes.length, 1);
    await fill(5000, 7000);
    assert.equal(notes.length, 2);
    assert.match(notes[1], /7000 vectors: 335 lists/);
    for (let i = 0; i < 6500; i++) assert.ok(index.remove(`v${i}`));
    await index.settled();
    assert.equal(index.kind, 'flat');
    assert.equal((await nearestIn(index, randomUnitVector(random, 8), 500)).length, 500);
  });
});
