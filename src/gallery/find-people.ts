import { throwIfGone } from '../platform/errors.js';
import { nextTurn } from '../platform/turns.js';
import { searchKey } from './names.js';
import type { Person } from './types.js';

/** A search yields to the event loop after so many milliseconds; the clock is read once per so many people. */
const SLICE = { milliseconds: 1.5, people: 100 };

/** Search keys made before. A person stays the same object while enrolled. */
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
 * People of these groups whose name or userid contains a text; see {@link searchKey}. Works in slices, so that a hundred
 * thousand people do not block the event loop.
 * @param groups undefined: all
 * @param signal checked between the slices
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
