import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { EventLog } from '../../src/events/log.js';
import { createPublisher } from '../../src/events/publisher.js';
import { createFileStore } from '../../src/gallery/store/file-store.js';
import type { LiveGallery } from '../../src/gallery/gallery.js';
import { createCurrentIndex } from '../../src/gallery/index/current-index.js';
import { createExactIndex } from '../../src/gallery/index/exact-index.js';
import type { VectorIndex } from '../../src/gallery/index/vector-index.js';
import { createMemory, type Memory } from '../../src/gallery/memory.js';
import { findNearest } from '../../src/gallery/search.js';
import type { EmbeddingStore } from '../../src/gallery/store/store.js';
import type { Match } from '../../src/gallery/types.js';
import { ENGINES } from '../support/engines.js';
import { createTiny, isOverBases, openTiny, TINY } from '../support/galleries.js';
import { temporaryFolder } from '../support/temporary.js';
import { identities, randomUnitVector, seededRandom } from '../support/vectors.js';

/** Everyone's vectors by faceid: all that an answer may depend on. */
type Model = Map<string, readonly Float32Array[]>;

const distanceOf = (a: ArrayLike<number>, b: Float32Array) =>
  b.reduce((sum, value, i) => sum + (value - a[i]) ** 2, 0);

/** The mean at unit length, or undefined where it points nowhere or there is one face. */
function templateOf(vectors: readonly Float32Array[]): number[] | undefined {
  if (vectors.length < 2) return undefined;
  const mean = [...vectors[0]].map(
    (_, i) => vectors.reduce((sum, vector) => sum + vector[i], 0) / vectors.length,
  );
  const norm = Math.hypot(...mean);
  return norm < 0.01 ? undefined : mean.map((value) => value / norm);
}

function nearestIn(model: Model, probe: Float32Array, k: number) {
  const people = [...model].flatMap(([faceid, vectors]) => {
    const references = [...vectors, templateOf(vectors)].filter((reference) => reference !== undefined);
    const distances = references.map((reference) => distanceOf(reference, probe));
    return distances.length === 0 ? [] : { faceid, distance: Math.min(...distances) };
  });
  return people.sort((a, b) => a.distance - b.distance).slice(0, k);
}

function assertSame(answer: readonly Match[], expected: { faceid: string; distance: number }[]): void {
  assert.deepEqual(
    answer.map(({ person }) => person.faceid),
    expected.map(({ faceid }) => faceid),
  );
  answer.forEach(({ person, face, distance }, i) => {
    assert.ok(Math.abs(distance - expected[i].distance) < 1e-4, `${distance} ${expected[i].distance}`);
    assert.ok(person.faces.includes(face), 'the face is one of the person');
  });
}

const unit = (...values: number[]) => {
  const norm = Math.hypot(...values);
  return Float32Array.from({ length: TINY }, (_, i) => (values.at(i) ?? 0) / norm);
};
const enrol = (gallery: LiveGallery, userid: string, vector: Float32Array) =>
  gallery.enrol({ groupid: 'default', userid }, vector);

describe("a person's template", () => {
  it('is found where it is nearer than every face, under the nearest face, and is no face itself', async (t) => {
    const folder = await temporaryFolder(t);
    const gallery = await openTiny(folder);
    const [left, right, probe] = [unit(2, -2, 1), unit(2, 2), unit(1)];
    await enrol(gallery, 'a', left);
    const face = await enrol(gallery, 'a', right);
    await enrol(gallery, 'b', unit(1, 0, 0, 1));
    for (const opened of [gallery, await openTiny(folder)]) {
      const [match, other] = await opened.nearest(probe, 5);
      assert.equal(match.person.faceid, 'default-a');
      assert.ok(Math.abs(match.distance - distanceOf(templateOf([left, right]) ?? [], probe)) < 1e-6);
      assert.ok(match.distance < other.distance && distanceOf(right, probe) > match.distance);
      assert.equal(match.face.id, face.id);
      const [verified] = await opened.nearest(probe, 1, { faceid: 'default-a' });
      assert.equal(verified.face.id, face.id);
      assert.ok(Math.abs(verified.distance - match.distance) < 1e-6);
      for (const enrolled of [left, right])
        assert.deepEqual((await opened.nearest(enrolled, 1))[0].distance, 0, 'an enrolled picture is itself');
      assert.equal(opened.info().faces, 3);
      assert.equal((await opened.person('default-a'))?.faces.length, 2);
      assert.equal((await opened.vectors('default-a')).length, 2);
    }
  });

  it('is made only where the pack asks for it', async (t) => {
    const gallery = await openTiny(await temporaryFolder(t), { templates: false });
    await enrol(gallery, 'a', unit(1, -1));
    const { id } = await enrol(gallery, 'a', unit(1, 1));
    await enrol(gallery, 'a', unit(1, 1, 1));
    await gallery.removeFace('default-a', id);
    const [match] = await gallery.nearest(unit(1), 1);
    assert.ok(Math.abs(match.distance - distanceOf(unit(1, -1), unit(1))) < 1e-6);
  });

  it('goes with the second face, and with the person', async (t) => {
    const gallery = await openTiny(await temporaryFolder(t));
    const [left, right, probe] = [unit(1, -1), unit(1, 1), unit(1)];
    await enrol(gallery, 'a', left);
    const { id } = await enrol(gallery, 'a', right);
    assert.ok((await gallery.nearest(probe, 1))[0].distance < 1e-6);
    await gallery.removeFace('default-a', id);
    const [match] = await gallery.nearest(probe, 1);
    assert.ok(Math.abs(match.distance - distanceOf(left, probe)) < 1e-6);
    await enrol(gallery, 'a', right);
    assert.ok((await gallery.nearest(probe, 1))[0].distance < 1e-6);
    await gallery.remove('default', 'a');
    assert.deepEqual(await gallery.nearest(probe, 1), []);
  });

  it('is left out where the faces put each other out', async (t) => {
    const gallery = await openTiny(await temporaryFolder(t));
    await enrol(gallery, 'a', unit(1));
    await enrol(gallery, 'a', unit(-1));
    const [match] = await gallery.nearest(unit(0, 1), 1);
    assert.ok(Math.abs(match.distance - 2) < 1e-6);
    await enrol(gallery, 'a', unit(0, 1, 1));
    assert.ok((await gallery.nearest(unit(0, 1, 1), 1, { faceid: 'default-a' }))[0].distance === 0);
  });

  it('does not keep others from being found who are asked for', async (t) => {
    const gallery = await openTiny(await temporaryFolder(t));
    const random = seededRandom(2);
    const near = () => unit(1, ...Array.from({ length: TINY - 1 }, () => random() * 0.2));
    for (let i = 0; i < 12; i++) await enrol(gallery, 'many', near());
    for (const userid of ['b', 'c', 'd']) await enrol(gallery, userid, randomUnitVector(random, TINY));
    for (const k of [1, 2, 3, 4, 9]) {
      const found = await gallery.nearest(near(), k);
      assert.equal(new Set(found.map(({ person }) => person.faceid)).size, Math.min(k, 4));
      assert.equal(found.length, Math.min(k, 4));
    }
  });
});

/**
 * Two workers at one folder; each hears of the other's changes before they are acknowledged.
 * @param onRead told of every vector that is read, from when they are open
 */
async function openTwo(folder: string, onRead: () => void = () => undefined): Promise<LiveGallery[]> {
  const workers: LiveGallery[] = [];
  for (const [i, name] of ['first', 'second'].entries()) {
    const log: Pick<EventLog, 'append'> = {
      async append(events) {
        for (const event of [events].flat()) await workers[1 - i].apply(event);
      },
    };
    const files = createFileStore({ folder, pack: 'tiny', length: TINY, warn: () => undefined });
    const store: EmbeddingStore = {
      ...files,
      async readPerson(faceid, known) {
        const person = await files.readPerson(faceid, known);
        for (const { vector } of person?.faces ?? []) if (vector) onRead();
        return person;
      },
    };
    const publisher = createPublisher(log, name, 'tiny');
    workers.push(await createTiny(store, { publisher }));
  }
  return workers;
}

describe('templates of two workers', () => {
  const PEOPLE = ['a', 'b', 'c'];
  const whom = fc.constantFrom(...PEOPLE);
  const operation = fc.record({
    kind: fc.constantFrom('enrol', 'enrol', 'enrol', 'removeFace', 'remove', 'move', 'merge'),
    worker: fc.integer({ min: 0, max: 1 }),
    userid: whom,
    other: whom,
    seed: fc.integer(),
  });

  it('are those of the faces after any changes, through whichever of them', async (t) => {
    const faceidOf = (userid: string) => `default-${userid}`;
    const property = fc.asyncProperty(fc.array(operation, { maxLength: 25 }), async (operations) => {
      const folder = await temporaryFolder(t);
      const workers = await openTwo(folder);
      const model = new Map<string, readonly Float32Array[]>();
      for (const [step, { kind, worker, userid, other, seed }] of operations.entries()) {
        const gallery = workers[worker];
        const [faceid, otherid] = [faceidOf(userid), faceidOf(other)];
        const vectors = model.get(faceid);
        const random = seededRandom(seed);
        // Never the vector of an earlier step.
        for (let i = 0; i < step; i++) random();
        const vector = randomUnitVector(random, TINY);
        if (kind === 'enrol') {
          await enrol(gallery, userid, vector);
          model.set(faceid, [...(vectors ?? []), vector]);
        } else if (!vectors) {
          continue;
        } else if (kind === 'remove') {
          await gallery.remove('default', userid);
          model.delete(faceid);
        } else if (kind === 'removeFace' && vectors.length > 0) {
          const stored = await gallery.vectors(faceid);
          const gone = stored[Math.floor(random() * stored.length)];
          await gallery.removeFace(faceid, gone.face.id);
          model.set(
            faceid,
            vectors.filter((one) => distanceOf(one, gone.vector) > 0),
          );
        } else if (kind === 'move' && !model.has(otherid)) {
          await gallery.movePerson(faceid, { groupid: 'default', userid: other });
          model.set(otherid, vectors);
          model.delete(faceid);
        } else if (kind === 'merge' && userid !== other && model.has(otherid)) {
          await gallery.mergePerson(faceid, otherid);
          model.set(otherid, [...(model.get(otherid) ?? []), ...vectors]);
          model.delete(faceid);
        }
        for (const one of workers) {
          for (const probe of [vector, randomUnitVector(random, TINY)])
            assertSame(await one.nearest(probe, 3), nearestIn(model, probe, 3));
        }
      }
      assertSame(await (await openTiny(folder)).nearest(unit(1), 3), nearestIn(model, unit(1), 3));
    });
    await fc.assert(property, { numRuns: 25 });
  });
});

describe('the vectors of a person', () => {
  it('are read from the store only where a template cannot be told without', async (t) => {
    if (isOverBases()) {
      t.skip('a base has them');
      return;
    }
    const random = seededRandom(6);
    let reads = 0;
    const [here, there] = await openTwo(await temporaryFolder(t), () => void (reads += 1));
    const readBy = async (change: () => Promise<unknown>) => {
      reads = 0;
      await change();
      return reads;
    };
    const another = () => enrol(here, 'a', randomUnitVector(random, TINY));
    assert.equal(await readBy(another), 1, 'the first: by the other worker');
    // The first by this worker; by the other the new one, and then both.
    assert.equal(await readBy(another), 1 + 1 + 2);
    assert.equal(await readBy(another), 1, 'the third: by the other worker');
    assert.equal(await readBy(() => here.updatePerson('default-a', { username: 'A' })), 0);
    const ids = (await here.person('default-a'))?.faces.map(({ id }) => id) ?? [];
    assert.equal(await readBy(() => there.removeFace('default-a', ids[0])), 2 + 2, 'those that stay');
    assert.equal(await readBy(() => there.removeFace('default-a', ids[1])), 0);
    assert.equal(await readBy(() => here.remove('default', 'a')), 0);
  });
});

/** A memory without a store, changed as a gallery changes it, and what it must agree with. */
function openMemory(index: VectorIndex) {
  const model = new Map<string, Float32Array[]>();
  const ids = new Map<Float32Array, string>();
  const current = createCurrentIndex(index);
  const memory: Memory = createMemory(current, true);
  let made = 0;

  function show(faceid: string): void {
    const faces = (model.get(faceid) ?? []).map((vector) => ({
      ...{ id: ids.get(vector) ?? '', faceid, automatic: false, hasPicture: false },
      ...{ enrolledAt: '2026-01-01T00:00:00Z', vector },
    }));
    memory.setPerson(faceid, model.has(faceid) ? { faceid, username: '', metadata: {}, faces } : undefined);
  }

  return {
    model,
    memory,
    current,
    nearest: (probe: Float32Array, k: number) =>
      findNearest({ memory, index: current, read: () => Promise.resolve(undefined) }, probe, k, {}),
    set: (faceid: string, vectors: Float32Array[] | undefined): void => {
      for (const vector of vectors ?? []) if (!ids.has(vector)) ids.set(vector, `${faceid}_${made++}`);
      if (vectors) model.set(faceid, vectors);
      else model.delete(faceid);
      show(faceid);
    },
    /** All of it under another faceid, and so under other ids. */
    move: (from: string, to: string): void => {
      const vectors = model.get(from) ?? [];
      for (const vector of vectors) ids.set(vector, `${to}_${made++}`);
      model.set(to, vectors);
      model.delete(from);
      show(from);
      show(to);
    },
  };
}

for (const { name, create, skip, exact } of ENGINES) {
  describe(`templates in the ${name} index`, { skip }, () => {
    it('are found as the faces are, while people come, change, move and go', async (t) => {
      const length = 32;
      const random = seededRandom(4);
      const index = create(length);
      t.after(() => index.close());
      const { model, nearest, set, move } = openMemory(index);
      const made = identities(random, length, { people: 900, faces: 4, spread: 0.9 });
      const byPerson = new Map<string, Float32Array[]>();
      for (const { id, vector } of made.faces()) {
        const person = id.split('/')[0];
        byPerson.set(person, [...(byPerson.get(person) ?? []), vector]);
      }
      const pick = () => [...model.keys()][Math.floor(random() * model.size)];
      const seen = { asked: 0, right: 0 };
      let moved = 0;
      let step = 0;
      for (const [person, faces] of byPerson) {
        const vectors = faces.slice(0, 1 + (step % 4));
        set(`g-${person}`, vectors);
        step += 1;
        if (step % 15 !== 0) continue;
        const probe = made.probe(`${person}/0`);
        // Begun before the changes, answered after them.
        const pending = nearest(probe, 3);
        set(`g-${person}`, vectors.slice(1));
        set(`g-${person}`, vectors);
        if (step % 2 === 0) move(`g-${person}`, `m-${moved++}`);
        set(pick(), undefined);
        const answer = await pending;
        const expected = nearestIn(model, probe, 3);
        if (exact) assertSame(answer, expected);
        assert.ok(answer.every(({ person: { faceid } }) => model.has(faceid)));
        seen.asked += 1;
        if (answer[0].person.faceid === expected[0].faceid) seen.right += 1;
      }
      await index.settled();
      assert.ok(seen.right / seen.asked > 0.95, `${seen.right} of ${seen.asked}`);
      // Each is there once all is built: nearer to its own template than to anything else.
      for (const [faceid, vectors] of model) {
        const template = templateOf(vectors);
        if (!template) continue;
        const [match] = await nearest(Float32Array.from(template), 1);
        assert.equal(match.person.faceid, faceid);
        assert.ok(match.distance < 1e-5);
      }
    });

    it('are answered no more once one of their faces is removed, also by a search that is under way', async (t) => {
      const index = create(TINY);
      t.after(() => index.close());
      const { nearest, set } = openMemory(index);
      const [left, right, probe] = [unit(1, -1), unit(1, 1), unit(1)];
      for (let i = 0; i < 50; i++) set(`g-other${i}`, [unit(0, 0, 1, i)]);
      set('g-a', [left, right]);
      const searching = [nearest(probe, 1), nearest(probe, 60)];
      set('g-a', [left]);
      for (const [match] of await Promise.all(searching)) {
        assert.equal(match.person.faceid, 'g-a');
        assert.ok(Math.abs(match.distance - distanceOf(left, probe)) < 1e-5);
      }
      set('g-a', [left, right]);
      const last = [nearest(probe, 1), nearest(probe, 60)];
      set('g-a', undefined);
      for (const answer of await Promise.all(last))
        assert.ok(answer.every(({ person }) => person.faceid !== 'g-a'));
    });
  });
}

describe('a template', () => {
  /** What a memory has put into its index beside the faces. */
  function templatesIn(fill: (set: ReturnType<typeof openMemory>['set']) => void): Float32Array[] {
    const held = new Map<string, Float32Array>();
    const exact = createExactIndex(TINY);
    const index: VectorIndex = {
      ...exact,
      add: (id, vector) => void held.set(id, vector),
      remove: (id) => held.delete(id),
    };
    const { set, memory } = openMemory(index);
    fill(set);
    return [...held].filter(([id]) => !memory.hasFace('g-a', id)).map(([, vector]) => vector);
  }

  it('is the same to the bit after its faces came and went 10,000 times, and in whatever order', () => {
    const random = seededRandom(9);
    const vectors = Array.from({ length: 12 }, () => randomUnitVector(random, TINY));
    const [expected] = templatesIn((set) => set('g-a', vectors));
    const [after] = templatesIn((set) => {
      for (let i = 0; i < 10_000; i++)
        set(
          'g-a',
          vectors.filter(() => random() < 0.6),
        );
      set('g-a', vectors.toReversed());
    });
    assert.deepEqual(after, expected);
    const [grown] = templatesIn((set) => {
      for (let i = vectors.length - 1; i >= 0; i--) set('g-a', vectors.slice(i));
    });
    assert.deepEqual(grown, expected);
    const naive = templateOf(vectors) ?? [];
    assert.ok(distanceOf(naive, expected) < 1e-12);
  });

  it('is not missed when it was made between the answer of the index and what is made of it', async () => {
    const { set, memory, current } = openMemory(createExactIndex(TINY));
    for (let i = 0; i < 3; i++) set(`g-other${i}`, [unit(3, 0, 1, i / 10)]);
    const [left, right, probe] = [unit(1, -1), unit(1, 1), unit(1)];
    set('g-a', [left, right]);
    let change = () => set('g-a', [left, right, unit(1, 0, 0, 0.01)]);
    const begin = () => {
      const begun = current.begin();
      const search = async (query: Float32Array, k: number) => {
        const found = await begun.search(query, k);
        change();
        change = () => undefined;
        return found;
      };
      return { ...begun, search };
    };
    const index = { ...current, begin };
    const [match] = await findNearest(
      { memory, index, read: () => Promise.resolve(undefined) },
      probe,
      1,
      {},
    );
    assert.equal(match.person.faceid, 'g-a');
  });

  it('is made only for people with several faces', () => {
    const random = seededRandom(10);
    const made = templatesIn((set) => {
      for (let i = 0; i < 100; i++) set(`g-${i}`, [randomUnitVector(random, TINY)]);
      set('g-none', []);
    });
    assert.deepEqual(made, []);
  });
});
