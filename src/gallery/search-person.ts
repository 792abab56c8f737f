import { nearestRows } from './index/rows.js';
import type { Memory } from './memory.js';
import type { ReadPerson } from './store/store.js';
import { templateOf } from './templates.js';
import type { Face, Match, Person } from './types.js';

/** A vector of a person; without a face it is the template. */
export interface Own {
  face: Face | undefined;
  vector: Float32Array;
}

/**
 * Compares with the vectors of one person only: those of the base, or of the store where the person is newer.
 * @returns nothing when there is no such person in these groups, or they have no face; undefined when the store cannot be
 *   read, or does not have all faces that memory has
 */
export async function nearestOfPerson(
  { memory, read }: { memory: Memory; read: (faceid: string) => Promise<ReadPerson | undefined> },
  query: Float32Array,
  faceid: string,
  groups: ReadonlySet<string> | undefined,
): Promise<Match[] | undefined> {
  const isAllowed = (person: Person | undefined) => person && (!groups || groups.has(person.groupid));
  if (!isAllowed(memory.person(faceid))) return [];
  const inBase = fromBase(memory, faceid);
  if (inBase) return matchOf(inBase.person, inBase.own, query);
  const stored = await read(faceid).catch(() => undefined);
  // Memory has the last word: meanwhile the person may have changed, or gone back to the base.
  const person = memory.person(faceid);
  if (!isAllowed(person) || !person) return [];
  const again = fromBase(memory, faceid);
  if (again) return matchOf(again.person, again.own, query);
  const vectors = new Map(stored?.faces.map(({ id, vector }) => [id, vector]));
  const own = person.faces.flatMap((face) => {
    const vector = vectors.get(face.id);
    return vector ? { face, vector } : [];
  });
  if (own.length < person.faces.length) return undefined;
  const template = memory.withTemplates ? templateOf(own.map(({ vector }) => vector)) : undefined;
  return matchOf(person, template ? [...own, { face: undefined, vector: template }] : own, query);
}

function fromBase(memory: Memory, faceid: string): { person: Person; own: Own[] } | undefined {
  const held = memory.inBase(faceid);
  const vectors = memory.layer()?.base.vectors;
  if (!held || !vectors) return undefined;
  const { person, rows } = held;
  const own = Array.from({ length: rows.end - rows.first }, (_, i) => {
    return { face: person.faces.at(i), vector: vectors.vectorAt(rows.first + i) };
  });
  return { person, own };
}

/** The person at the nearest of their vectors; nothing where they have none. */
export function matchOf(person: Person, own: readonly Own[], query: Float32Array): Match[] {
  const distances = own.map(({ face, vector }) => {
    return { face, distance: nearestRows(vector, 1, query, 1).distances[0] };
  });
  distances.sort((a, b) => a.distance - b.distance);
  const nearest = distances.at(0);
  const face = distances.find((one) => one.face)?.face;
  return nearest && face ? [{ person, face, distance: nearest.distance }] : [];
}
