import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Base } from '../../src/gallery/base/base.js';
import { squaredDistance } from '../../src/gallery/distance.js';
import { templateOf } from '../../src/gallery/templates.js';
import type { Match, Person, SearchOptions } from '../../src/gallery/types.js';
import { BASES } from '../support/made-bases.js';
import { groupOf } from '../support/memory-store.js';
import { GROUPS, LENGTH, openOverBase } from '../support/over-base.js';
import { randomUnitVector, seededRandom } from '../support/vectors.js';

type Opened = ReturnType<typeof openOverBase>;

/** What a search must answer, of the store alone. */
function nearestIn(
  { people }: Opened['store'],
  probe: Float32Array,
  k: number,
  { groups, faceid: wanted }: SearchOptions = {},
): { faceid: string; distance: number }[] {
  const all = [...people.values()].flatMap(({ faceid, faces }) => {
    if ((groups && !groups.has(groupOf(faceid))) || (wanted ?? faceid) !== faceid) return [];
    const vectors = faces.map(({ vector }) => vector);
    const template = templateOf(vectors);
    const distances = [...vectors, ...(template ? [template] : [])].map((one) => squaredDistance(one, probe));
    return distances.length === 0 ? [] : { faceid, distance: Math.min(...distances) };
  });
  return all.sort((a, b) => a.distance - b.distance).slice(0, k);
}

function assertSame(
  { store }: Opened,
  answer: readonly Match[],
  expected: ReturnType<typeof nearestIn>,
): void {
  assert.deepEqual(
    answer.map(({ person }) => person.faceid),
    expected.map(({ faceid }) => faceid),
  );
  for (const [i, { person, face, distance }] of answer.entries()) {
    assert.ok(Math.abs(distance - expected[i].distance) < 1e-5, `${distance} ${expected[i].distance}`);
    assert.ok(person.faces.includes(face), 'the face is one of the person');
    const { username, faces } = store.people.get(person.faceid) ?? assert.fail('nobody');
    assert.equal(person.username, username || person.userid);
    assert.deepEqual(person.faces.map(({ id }) => id).sort(), faces.map(({ id }) => id).sort());
  }
}

/** What is asked about everybody must be what the store says. */
function assertWhole({ memory, store }: Opened): void {
  const all = [...store.people.values()];
  const listed: Person[] = [];
  for (let after: string | undefined = ''; after !== undefined;) {
    const page = memory.page({ after, limit: 7 });
    listed.push(...page.found);
    after = page.after;
  }
  assert.deepEqual(
    listed.map(({ faceid, faces }) => [faceid, faces.map(({ id }) => id).sort()]),
    all
      .map(({ faceid, faces }) => [faceid, faces.map(({ id }) => id).sort()] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  for (const groups of [undefined, ...GROUPS.map((one) => [one]), ['a', 'b']]) {
    const some = all.filter(({ faceid }) => !groups || groups.includes(groupOf(faceid)));
    const faces = some.reduce((sum, person) => sum + person.faces.length, 0);
    assert.deepEqual(memory.count(groups), { people: some.length, faces });
  }
}

for (const { name, make, skip } of BASES) {
  describe(`a gallery over ${name} bases`, { skip }, () => {
    for (const seed of [1, 2, 3]) {
      it(`answers as the store says through anything that happens to it (seed ${seed})`, async () => {
        const random = seededRandom(seed);
        const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)];
        const vector = () => randomUnitVector(random, LENGTH);
        const gallery = openOverBase(make);
        const { store, memory, people, core } = gallery;
        const anyone = () => `${pick(GROUPS)}-u${Math.floor(random() * 25)}`;
        const somebody = () => pick([...store.people.keys(), 'a-nobody']);
        const partsOf = (faceid: string) => ({ groupid: groupOf(faceid), userid: faceid.split('-')[1] });
        /** Answers of earlier, and who they are now. */
        let held: { person: Person; faceid: string }[] = [];
        const follow = (from: string, to: string) => {
          for (const one of held) if (one.faceid === from) one.faceid = to;
        };

        const changes = {
          async enrol() {
            const username = random() < 0.3 ? pick(['Ken', '雪', 'Zoë']) : undefined;
            await people.enrol({ ...partsOf(anyone()), username }, vector());
          },
          create: async () => {
            const faceid = anyone();
            if (!store.people.has(faceid)) await people.createPerson(partsOf(faceid));
          },
          async remove(faceid: string) {
            const { groupid, userid } = partsOf(faceid);
            await people.remove(groupid, userid);
          },
          rename: (faceid: string) => people.updatePerson(faceid, { username: pick(['Ken', '雪', '']) }),
          describe: (faceid: string) => people.updatePerson(faceid, { metadata: { floor: pick([1, 2]) } }),
          async move(faceid: string) {
            const to = anyone();
            if (store.people.has(to)) return;
            await people.movePerson(faceid, partsOf(to));
            follow(faceid, to);
          },
          async merge(faceid: string) {
            const into = somebody();
            if (into === faceid || !store.people.has(into)) return;
            await people.mergePerson(faceid, into);
            follow(faceid, into);
          },
          async removeFace(faceid: string) {
            const faces = store.people.get(faceid)?.faces ?? [];
            if (faces.length > 0) await people.removeFace(faceid, pick(faces).id);
          },
          /** Another worker's, of which this one is told. */
          async follow(faceid: string) {
            await store.removePerson(faceid);
            await core.lockAndReload([faceid], { isHeard: true });
          },
        };
        const names = Object.keys(changes) as (keyof typeof changes)[];

        let pending: { open: () => void; done: Promise<void> }[] = [];
        const finish = async () => {
          for (const { open } of pending) open();
          await Promise.all(pending.map(({ done }) => done));
          pending = [];
        };
        let older: Base | undefined;
        let swapping: Promise<void> = Promise.resolve();
        let swaps = 0;

        async function search(): Promise<void> {
          const options: SearchOptions = pick([
            {},
            {},
            { groups: new Set([pick(GROUPS)]) },
            { groups: new Set(['a', 'b']) },
            { faceid: somebody() },
            { faceid: somebody(), groups: new Set(['a']) },
          ]);
          const [probe, k] = [vector(), pick([1, 2, 3, 8, 100])];
          const isHeld = random() < 0.6;
          const open = isHeld ? gallery.hold() : () => undefined;
          const done = core.nearest(probe, k, options).then((answer) => {
            const most = options.faceid === undefined ? k : 1;
            assertSame(gallery, answer, nearestIn(store, probe, most, options));
            for (const { person } of answer.slice(0, 1)) held.push({ person, faceid: person.faceid });
          });
          gallery.gate.now = Promise.resolve();
          pending.push({ open, done });
          if (!isHeld) await done;
          // What needs no vectors is answered at once.
          await new Promise((resolve) => setImmediate(resolve));
        }

        for (let step = 0; step < 1500; step++) {
          const dice = random();
          if (dice < 0.35 || store.people.size < 10) await changes.enrol();
          else if (dice < 0.6) {
            const faceid = somebody();
            if (store.people.has(faceid)) await changes[pick(names)](faceid);
          } else if (dice < 0.9) {
            await search();
          } else if (dice < 0.93) {
            older ??= await gallery.snapshot();
          } else if (dice < 0.96 && older) {
            // It may be begun while another is under way, and while searches run.
            swapping = Promise.all([swapping, gallery.rebase(older)]).then(() => undefined);
            older = undefined;
            swaps += 1;
          } else {
            await finish();
            if (random() < 0.5) await swapping;
            assertWhole(gallery);
            for (const { person, faceid } of held)
              assert.equal(memory.current(person)?.faceid, store.people.has(faceid) ? faceid : undefined);
            held = held.slice(-30);
          }
        }
        await finish();
        await swapping;
        assertWhole(gallery);
        assert.ok(swaps > 15, `${swaps} swaps`);
        await gallery.rebase(await gallery.snapshot());
        assert.equal(gallery.index.size, 0, 'and nothing is left in the tail');
        for (let i = 0; i < 3; i++) await gallery.rebase(await gallery.snapshot());
        assert.equal(memory.overlaid(), 0, 'later ones need not be told who was gone');
        assertWhole(gallery);
        await gallery.close();
        await older?.close();
      });
    }
  });
}
