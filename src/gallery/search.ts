import type { NearestRows, Range } from './base/base.js';
import type { Layer } from './base/layer.js';
import type { Begun, CurrentIndex } from './index/current-index.js';
import { nearestRows } from './index/rows.js';
import type { Found } from './index/vector-index.js';
import type { Memory } from './memory.js';
import type { Owner } from './overlay.js';
import { nearestOfPerson } from './search-person.js';
import type { ReadPerson } from './store/store.js';
import type { Match, SearchOptions } from './types.js';

/** What a search looks into. */
export interface SearchSources {
  memory: Memory;
  /** The tail: those who are newer than the base. */
  index: CurrentIndex;
  /** Reads a person with all vectors from the store; undefined when there is none. */
  read: (faceid: string) => Promise<ReadPerson | undefined>;
}

/** A vector that was found, of somebody who is there. */
export interface Candidate extends Owner {
  distance: number;
}

/** What one place answered. */
interface Answer {
  candidates: Candidate[];
  /** Everything that is nearer, or as near, is among the candidates, or was removed. */
  radius: number;
}

const ALL: Answer = { candidates: [], radius: Infinity };

/**
 * Least vectors to ask for where there are templates: it costs no more than one, and nearly always also finds a face of a
 * person who is found by the template.
 */
const WITH_FACES = 16;

/**
 * The nearest of the people that `options` allow, each once, at the nearest of their faces and template. Base and tail are
 * searched together. They only know vectors: the nearest may be several of one person, of people who are not asked for
 * (in the tail), or just removed. So they are searched deeper until `k` people are found or every vector was seen.
 * @param k 1 or more
 */
export async function findNearest(
  sources: SearchSources,
  embedding: Float32Array,
  k: number,
  options: SearchOptions,
): Promise<Match[]> {
  const { groups, faceid } = options;
  const query = embedding.slice();
  if (faceid !== undefined) {
    const own = await nearestOfPerson(sources, query, faceid, groups);
    if (own) return own;
  }
  // Again only when the base was swapped meanwhile, and a person of the old one is somebody else in the new.
  for (;;) {
    const matches = await searchOnce(sources, query, k, options);
    if (matches) return matches;
  }
}

/** @returns undefined when the base that was searched has been swapped for one that says otherwise of those found */
async function searchOnce(
  { memory, index }: SearchSources,
  query: Float32Array,
  k: number,
  { groups, faceid, isOfMany }: SearchOptions,
): Promise<Match[] | undefined> {
  const layer = memory.layer();
  const begun = index.begin();
  try {
    const scope = layer && scopeOf(layer, { groups, faceid });
    const enough = faceid === undefined ? k : 1;
    const inBase = searchBase(layer, scope, query, k, { withTemplates: memory.withTemplates, isOfMany });
    const inTail = searchTail(memory, index, begun, query, k, { groups, faceid });
    for (;;) {
      const [rows, found] = await both(inBase.ask(), inTail.ask());
      // From here to the answer nothing is awaited, so that no change comes in between.
      const fromBase = layer && rows ? ownersOfRows(memory, layer, rows, inBase.isAll(rows)) : ALL;
      if (!fromBase) return undefined;
      const fromTail = found ? ownersOfHits(memory, found) : ALL;
      const since = begun.since().flatMap(({ id, vector }) => {
        const owner = memory.ownerOf(id);
        return owner ? { ...owner, distance: nearestRows(vector, 1, query, 1).distances[0] } : [];
      });
      const allowed = [...fromBase.candidates, ...fromTail.candidates, ...since].filter(
        ({ person }) =>
          (!groups || groups.has(person.groupid)) && (faceid ?? person.faceid) === person.faceid,
      );
      const radius = Math.min(fromBase.radius, fromTail.radius);
      const matches = toMatches(allowed, enough, radius);
      const isWhole =
        matches.length === enough && (faceid === undefined || matches.every(({ face }) => face));
      if (isWhole || radius === Infinity)
        return matches.map((match) => ({ ...match, face: match.face ?? match.person.faces[0] }));
      if (fromBase.radius === radius) inBase.deepen();
      if (fromTail.radius === radius) inTail.deepen();
    }
  } finally {
    begun.end();
  }
}

/** Waits for both even if one fails: the base may be closed when a search has ended. */
async function both<A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([a, b]);
  return [await a, await b];
}

/** Each person once, at the nearest vector, up to a distance; with the nearest face. */
function toMatches(candidates: readonly Candidate[], most: number, radius: number): Candidate[] {
  const found = new Map<string, Candidate>();
  for (const candidate of [...candidates].sort((a, b) => a.distance - b.distance)) {
    const match = found.get(candidate.person.faceid);
    if (match) match.face ??= candidate.face;
    else if (candidate.distance <= radius && found.size < most)
      found.set(candidate.person.faceid, { ...candidate });
  }
  return [...found.values()];
}

/** Where in a base to look. */
interface Scope {
  /** undefined: everywhere. */
  ranges: Range[] | undefined;
  rows: number;
  people: number;
}

/** @returns undefined when nobody is there */
function scopeOf(layer: Layer, { groups, faceid }: SearchOptions): Scope | undefined {
  const { people } = layer.base;
  if (faceid !== undefined) {
    const own = layer.find(faceid)?.rows;
    return own && own.end > own.first ? { ranges: [own], rows: own.end - own.first, people: 1 } : undefined;
  }
  if (!groups)
    return people.rows === 0 ? undefined : { ranges: undefined, rows: people.rows, people: people.people };
  const known = people.groups();
  const wanted = [...groups].flatMap((groupid) => known.get(groupid) ?? []);
  const ranges: Range[] = [];
  for (const { rows } of wanted.sort((a, b) => a.rows.first - b.rows.first)) {
    const last = ranges.at(-1);
    if (last?.end === rows.first) last.end = rows.end;
    else ranges.push({ ...rows });
  }
  const rows = ranges.reduce((sum, { first, end }) => sum + end - first, 0);
  const count = wanted.reduce((sum, { people: { first, end } }) => sum + end - first, 0);
  return rows === 0 ? undefined : { ranges, rows, people: count };
}

function searchBase(
  layer: Layer | undefined,
  scope: Scope | undefined,
  query: Float32Array,
  k: number,
  { withTemplates, isOfMany }: { withTemplates: boolean; isOfMany: boolean | undefined },
) {
  if (!layer || !scope)
    return { ask: () => Promise.resolve(undefined), deepen: () => undefined, isAll: () => true };
  const { vectors } = layer.base;
  const { ranges, rows, people } = scope;
  // Can be expected to hold `k` people.
  let depth = Math.max(k, Math.ceil((k * rows) / people), withTemplates ? WITH_FACES : 0);
  let last: Promise<NearestRows> | undefined;
  return {
    ask: () => (last ??= vectors.search(query, Math.min(depth, rows), ranges, isOfMany)),
    /** Whether a larger `k` would find no more. */
    isAll: (found: NearestRows) => depth >= rows || found.rows.length < depth,
    deepen(): void {
      depth *= 4;
      last = undefined;
    },
  };
}

/** @returns undefined when a row's person, or face, is not in the base that has taken this one's place */
function ownersOfRows(memory: Memory, layer: Layer, found: NearestRows, isAll: boolean): Answer | undefined {
  const candidates: Candidate[] = [];
  const { rows, distances } = found;
  for (const [i, row] of rows.entries()) {
    const owner = memory.ownerOfRow(layer, row);
    if (owner) candidates.push({ ...owner, distance: distances[i] });
    else if (memory.layer() !== layer) return undefined;
  }
  return { candidates, radius: isAll ? Infinity : distances[rows.length - 1] };
}

function searchTail(
  memory: Memory,
  { size }: CurrentIndex,
  begun: Begun,
  query: Float32Array,
  k: number,
  { groups, faceid }: SearchOptions,
) {
  const allowed = memory.inTail(groups).people;
  if (allowed === 0 || size === 0) return { ask: () => Promise.resolve(undefined), deepen: () => undefined };
  let depth = firstDepth(memory, size, k, { groups, faceid });
  let last: Promise<Found> | undefined;
  return {
    ask: () => (last ??= begun.search(query, depth)),
    deepen(): void {
      depth *= 4;
      last = undefined;
    },
  };
}

function ownersOfHits(memory: Memory, { hits, isAll }: Found): Answer {
  const candidates = hits.flatMap(({ id, distance }) => {
    const owner = memory.ownerOf(id);
    return owner ? { ...owner, distance } : [];
  });
  return { candidates, radius: isAll ? Infinity : (hits.at(-1)?.distance ?? -1) };
}

/**
 * How many vectors of the tail to ask for first, so that they can be expected to hold `k` people: more than `k` where
 * people have several faces or only some may be found.
 */
function firstDepth(memory: Memory, all: number, k: number, { groups, faceid }: SearchOptions): number {
  const { people, faces } = memory.inTail();
  if (faceid === undefined && !groups) {
    const each = all / Math.max(1, people);
    return Math.max(k, Math.ceil(k * each), all > faces ? WITH_FACES : 0);
  }
  const allowed =
    faceid === undefined ? memory.inTail(groups).faces : (memory.person(faceid)?.faces.length ?? 0);
  if (allowed === 0) return k;
  return Math.max(k, Math.min(all, Math.ceil((2 * k * all) / allowed)));
}
