import { randomBytes } from 'node:crypto';
import { faceIdOf } from './ids.js';
import type { Erased, ErasedKind, Gallery, Person } from './types.js';

/** The ID of a receipt, under which a deletion stands in the audit log. */
export const receiptId = (): string => `e_${randomBytes(9).toString('base64url')}`;

/** Adds what was erased of another, or in another place. @param sum is changed */
export function addErased(sum: Erased, more: Erased): void {
  for (const [kind, count] of Object.entries(more) as [ErasedKind, number][])
    sum[kind] = (sum[kind] ?? 0) + count;
}

/** A gallery with some methods in the place of its own. */
export function withChanged(gallery: Gallery, changed: Partial<Gallery>): Gallery {
  // Not a copy: whatever the gallery does at the time of a call is done.
  return new Proxy(gallery, {
    get: (target, name): unknown => Reflect.get(changed, name) ?? Reflect.get(target, name),
  });
}

/** Keeps something of people beside the gallery. */
export interface Eraser {
  /**
   * Before people are deleted: what goes first, so that nothing is left of it should the deletion be cut short. What it
   * erases must not matter where the people stay.
   */
  before?: (people: readonly Pick<Person, 'faceid' | 'faces'>[]) => Promise<Erased>;
  /** When they are gone. */
  after?: (faceids: readonly string[]) => Promise<Erased>;
}

/** People of a group whom the erasers are told of at a time. */
const AT_ONCE = 1000;

/** A gallery that has what others keep of people erased with them, and counts it. */
export function withErasers(gallery: Gallery, erasers: readonly Eraser[]): Gallery {
  if (erasers.length === 0) return gallery;

  async function around(people: readonly Person[], work: () => Promise<Erased>): Promise<Erased>;
  async function around(
    people: readonly Person[],
    work: () => Promise<Erased | undefined>,
  ): Promise<Erased | undefined>;
  async function around(people: readonly Person[], work: () => Promise<Erased | undefined>) {
    const sum: Erased = {};
    const faceids = people.map(({ faceid }) => faceid);
    for (const { before } of erasers) if (before) addErased(sum, await before(people));
    const erased = await work();
    if (!erased) return undefined;
    addErased(sum, erased);
    for (const { after } of erasers) if (after) addErased(sum, await after(faceids));
    return sum;
  }

  return withChanged(gallery, {
    async remove(groupid, userid) {
      const person = await gallery.person(faceIdOf(groupid, userid));
      return await around(person ? [person] : [], () => gallery.remove(groupid, userid));
    },

    async removeIf(faceid, isRight) {
      const person = await gallery.person(faceid);
      return await around(person ? [person] : [], () => gallery.removeIf(faceid, isRight));
    },

    async removeGroup(groupid, options) {
      const sum: Erased = {};
      let people: Person[] = [];
      const nothing = () => Promise.resolve({});
      if (options.withPeople)
        for await (const person of gallery.everyone({ groups: new Set([groupid]) })) {
          people.push(person);
          if (people.length < AT_ONCE) continue;
          addErased(sum, await around(people, nothing));
          people = [];
        }
      addErased(sum, await around(people, () => gallery.removeGroup(groupid, options)));
      return sum;
    },
  });
}
