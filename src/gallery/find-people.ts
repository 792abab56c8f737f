import { throwIfGone } from '../platform/errors.js';
import { nextTurn } from '../platform/turns.js';
import { searchKey } from './names.js';
import type { Person } from './types.js';

/** A slice of a search, milliseconds; the clock is looked at after so many people. */
const SLICE = { milliseconds: 1.5, people: 100 };

/** Keys of names that were searched before; a person is the same object as long as it is enrolled. */
const keys = new WeakMap<Person, { username: string; name: string; userid: string }>();

function keyOf(person: Person): { name: string; userid: string } {
  const known = keys.get(person);
  if (known?.username === person.username) return known;
  const { username, userid } = person;
  const key = { username, name: searchKey(username), userid: searchKey(userid) };
  keys.set(person, key);
  return key;
}

/**
 * People of these groups whose name or userid holds a text; see {@link searchKey}. Of a hundred thousand it does not hold
 * the event loop: it is done in slices.
 * @param groups undefined: all
 * @param signal looked at between the slices
 * @throws KaomonError CLIENT_GONE
 */
export async function findPeople(
  people: readonly Person[],
  text: string,
  groups?: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<Person[]> {
  const wanted = searchKey(text);
  const found: Person[] = [];
  let began = performance.now();
  for (const [i, person] of people.entries()) {
    if (i % SLICE.people === SLICE.people - 1 && performance.now() - began > SLICE.milliseconds) {
      await nextTurn();
      throwIfGone(signal);
      began = performance.now();
    }
    if (groups && !groups.has(person.groupid)) continue;
    if (wanted !== '') {
      const { name, userid } = keyOf(person);
      if (!name.includes(wanted) && !userid.includes(wanted)) continue;
    }
    found.push(person);
  }
  return found;
}
