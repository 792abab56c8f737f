import { throwIfGone } from '../platform/errors.js';
import { nextTurn } from '../platform/turns.js';
import { consentState } from './consent.js';
import type { Memory } from './memory.js';
import { createFirstPeople } from './people-order.js';
import type { Gallery, PageOptions, PeoplePage, PeopleSort, Person } from './types.js';

/** Long listing lets others have their turn after so many milliseconds. */
const SLICE = 1.5;
/** People that are looked at, one by one, in a step. */
const STEP = 256;

type Fitting = Pick<PageOptions, 'groups' | 'search' | 'pictures' | 'consent' | 'after' | 'signal'>;

/** A gallery's lists of people, in slices: a million are never looked at without a pause. */
export function createPeoplePages(memory: Memory): Pick<Gallery, 'people' | 'everyone'> {
  /**
   * Passes over `skip` of those who fit, then collects up to `limit`.
   * @returns `after`: where to go on; undefined at the end
   */
  async function collect(
    { groups, search, pictures, consent, after: from, signal }: Fitting,
    skip: number,
    limit: number,
  ): Promise<{ people: Person[]; skipped: number; after: string | undefined }> {
    const people: Person[] = [];
    let skipped = 0;
    let after = from;
    let began = performance.now();
    // Nobody is to be listed: there is nowhere to go.
    if (limit === 0) return { people, skipped, after };
    const at = Date.now();
    const fits = (person: Person) =>
      (pictures === undefined || (pictures === 'none') === (person.faces.length === 0)) &&
      (consent === undefined || consentState(person.consent, at) === consent);
    for (;;) {
      throwIfGone(signal);
      const wanted = { groups, search, after };
      if (pictures === undefined && consent === undefined) {
        const listed = memory.page({ ...wanted, skip: skip - skipped, limit: limit - people.length });
        skipped += listed.skipped;
        people.push(...listed.found);
        ({ after } = listed);
        if (after === undefined || (skipped >= skip && people.length >= limit)) break;
      } else {
        const listed = memory.page({ ...wanted, skip: 0, limit: STEP });
        let last: Person | undefined;
        for (const person of listed.found) {
          if (skipped >= skip && people.length >= limit) break;
          last = person;
          if (!fits(person)) continue;
          if (skipped < skip) skipped += 1;
          else people.push(person);
        }
        const isWhole = last === listed.found.at(-1);
        after = isWhole ? listed.after : (last?.faceid ?? after);
        if (!isWhole || after === undefined || (skipped >= skip && people.length >= limit)) break;
      }
      if (performance.now() - began < SLICE) continue;
      await nextTurn();
      began = performance.now();
    }
    return { people, skipped, after };
  }

  /** All who fit, on whatever page. */
  async function count(fitting: Fitting): Promise<number> {
    const { groups, search = '', pictures, consent } = fitting;
    if (search === '' && pictures === undefined && consent === undefined) {
      return memory.count(groups).people;
    }
    return (await collect({ ...fitting, after: undefined }, Infinity, 1)).skipped;
  }

  /** A page in another order than by faceid, for which everybody who fits is looked at. */
  async function sorted(
    fitting: Fitting,
    sort: PeopleSort,
    { offset, limit }: { offset: number; limit: number },
  ): Promise<PeoplePage> {
    const first = createFirstPeople(sort, offset + limit);
    let total = 0;
    let began = performance.now();
    for (let after = fitting.after; ;) {
      const step = await collect({ ...fitting, after }, 0, STEP);
      total += step.people.length;
      for (const person of step.people) first.add(person);
      if (step.after === undefined) break;
      ({ after } = step);
      if (performance.now() - began < SLICE) continue;
      await nextTurn();
      began = performance.now();
    }
    const listed = first.list().slice(offset);
    return { total, people: listed.flatMap(({ faceid }) => memory.person(faceid) ?? []) };
  }

  return {
    async people({ limit, offset = 0, count: isCounted = false, sort, ...fitting }) {
      if (sort !== undefined) return sorted(fitting, sort, { offset, limit });
      const { people, after } = await collect(fitting, offset, limit);
      return {
        people,
        next: after === undefined ? undefined : (people.at(-1)?.faceid ?? after),
        total: isCounted ? await count(fitting) : undefined,
      };
    },

    async *everyone(options = {}) {
      for (let after = options.after; ;) {
        const page = await collect({ ...options, after }, 0, STEP);
        yield* page.people;
        if (page.after === undefined) return;
        ({ after } = page);
      }
    },
  };
}
