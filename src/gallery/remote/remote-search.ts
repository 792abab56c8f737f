import { matchOf } from '../search-person.js';
import { templateOf } from '../templates.js';
import type { Match, Person, SearchOptions } from '../types.js';
import { type RemoteMemory, toPerson } from './remote-memory.js';
import type { RemotePerson } from './reader.js';
import type { RemoteStore } from './remote-store.js';
import { isTemplate, ownerOfId } from './template-ids.js';

/** Least vectors to ask for: several may be of one person, or of somebody who is gone. */
const LEAST = 16;
/** People beyond `k` who are read along, in case some of the nearest are gone. */
const SPARE = 4;

export interface RemoteSearchDeps {
  store: Pick<RemoteStore, 'engine' | 'tail' | 'reader' | 'readPerson'>;
  memory: Pick<RemoteMemory, 'made'>;
  templates: boolean;
  /** Applies what other workers have done by now. */
  catchUp: () => Promise<void>;
}

interface Near {
  id: string;
  distance: number;
}

/**
 * The nearest people: of the engine's answer and of the tail's, which has what the engine may not show yet. Whose a vector is
 * and whether it still is, is read from the store each time, so whoever is gone is found no more from that moment on, on any
 * machine.
 */
export function createRemoteSearch({ store, memory, templates, catchUp }: RemoteSearchDeps) {
  const { engine, tail, reader } = store;

  /** Everything that is nearer than the radius, or as near, is among the answers. */
  async function ask(query: Float32Array, depth: number, groups: ReadonlySet<string> | undefined) {
    const held = tail.size();
    const [fromEngine, fromTail] = await Promise.all([
      engine.search(query, Math.min(depth, engine.most), groups),
      held > 0 ? tail.search(query, Math.min(depth, held)) : undefined,
    ]);
    const isAll = fromEngine.length < Math.min(depth, engine.most) || depth >= engine.most;
    const near = new Map<string, number>(fromEngine.map(({ id, distance }) => [id, distance]));
    for (const { id, distance } of fromTail?.hits ?? []) near.set(id, distance);
    const radius = Math.min(
      isAll ? Infinity : (fromEngine.at(-1)?.distance ?? Infinity),
      !fromTail || fromTail.isAll || depth >= held ? Infinity : (fromTail.hits.at(-1)?.distance ?? Infinity),
    );
    const hits = [...near].map(([id, distance]): Near => ({ id, distance }));
    return { hits: hits.sort((a, b) => a.distance - b.distance), radius };
  }

  /** @returns `hasGone`: a vector that was near is nobody's any more */
  async function searchOnce(query: Float32Array, k: number, groups: ReadonlySet<string> | undefined) {
    for (let depth = Math.max(LEAST, 2 * k); ; depth *= 4) {
      const { hits, radius } = await ask(query, depth, groups);
      const byOwner = new Map<string, Near[]>();
      for (const hit of hits) {
        const faceid = ownerOfId(hit.id);
        if (groups && !groups.has(faceid.slice(0, faceid.indexOf('-')))) continue;
        const own = byOwner.get(faceid);
        if (own) own.push(hit);
        else if (hit.distance <= radius) byOwner.set(faceid, [hit]);
      }
      const owners = [...byOwner];
      const matches: Match[] = [];
      let hasGone = false;
      // The nearest vector of somebody may be gone, and the next farther than somebody else's: so on until nobody is nearer.
      const isOpen = (at: number) =>
        at < owners.length && (matches.length < k || owners[at][1][0].distance < matches[k - 1].distance);
      for (let at = 0; isOpen(at);) {
        const some = owners.slice(at, at + k + SPARE);
        at += some.length;
        const people = await reader.read(some.map(([faceid]) => faceid));
        for (const [i, [, own]] of some.entries()) {
          const match = toMatch(people[i], own);
          if (!match || match.distance > own[0].distance) hasGone = true;
          if (match && match.distance <= radius) matches.push(match);
        }
        matches.sort((a, b) => a.distance - b.distance);
      }
      if (matches.length >= k || radius === Infinity) return { matches: matches.slice(0, k), hasGone };
    }
  }

  function toMatch(person: RemotePerson | undefined, own: readonly Near[]): Match | undefined {
    if (!person || person.faces.length === 0) return undefined;
    const made = memory.made(toPerson(person));
    const faces = new Map(made.faces.map((face) => [face.id, face]));
    const live = own.filter(({ id }) => (isTemplate(id) ? id === person.templateId : faces.has(id)));
    const nearest = live.at(0);
    if (!nearest) return undefined;
    const face = live.map(({ id }) => faces.get(id)).find((one) => one !== undefined) ?? made.faces[0];
    return { person: made, face, distance: nearest.distance };
  }

  /** Compares with all vectors of one person. */
  async function nearestOf(query: Float32Array, faceid: string, groups: ReadonlySet<string> | undefined) {
    const read = await store.readPerson(faceid, new Set());
    const person: Person | undefined = read && memory.made(toPerson(read));
    if (!read || !person || (groups && !groups.has(person.groupid))) return [];
    const faces = new Map(person.faces.map((face) => [face.id, face]));
    const own = read.faces.flatMap(({ id, vector }) => (vector ? [{ face: faces.get(id), vector }] : []));
    const template = templates ? templateOf(own.map(({ vector }) => vector)) : undefined;
    return matchOf(person, template ? [...own, { face: undefined, vector: template }] : own, query);
  }

  return async function nearest(
    embedding: Float32Array,
    k: number,
    { groups, faceid }: SearchOptions = {},
  ): Promise<Match[]> {
    const query = embedding.slice();
    if (faceid !== undefined) return nearestOf(query, faceid, groups);
    const additions = tail.additions();
    const first = await searchOnce(query, k, groups);
    if (!first.hasGone) return first.matches;
    // Whoever has moved meanwhile is found by the new vectors alone, of which the log tells.
    await catchUp();
    if (tail.additions() === additions) return first.matches;
    return (await searchOnce(query, k, groups)).matches;
  };
}
