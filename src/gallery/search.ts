import type { VectorIndex } from './index/vector-index.js';
import type { Memory } from './memory.js';
import type { Match, SearchOptions } from './types.js';

/**
 * The nearest people, each once, of those that may be found. The index knows vectors only: several faces of one
 * person, or of people who may not be found, can be nearest, so it is asked for more until `k` people are found or
 * every vector was seen.
 * @param k 1 or more
 */
export async function findNearest(
  memory: Memory,
  index: VectorIndex,
  embedding: Float32Array,
  k: number,
  { groups, faceid }: SearchOptions,
): Promise<Match[]> {
  for (let depth = firstDepth(memory, index, k, { groups, faceid }); ; depth *= 4) {
    const hits = await index.search(embedding, depth);
    const matches = new Map<string, Match>();
    for (const { id, distance } of hits) {
      const face = memory.faces.get(id);
      const person = face && memory.people.get(face.faceid);
      if (!person || matches.has(person.faceid)) continue;
      if (groups && !groups.has(person.groupid)) continue;
      if (faceid !== undefined && person.faceid !== faceid) continue;
      matches.set(person.faceid, { person, face, distance });
    }
    const enough = faceid === undefined ? k : 1;
    if (matches.size >= enough || hits.length < depth) return [...matches.values()].slice(0, k);
  }
}

/** Where few of the faces may be found, asking for `k` first would be in vain: begin where `k` of them are expected. */
function firstDepth(
  memory: Memory,
  index: VectorIndex,
  k: number,
  { groups, faceid }: SearchOptions,
): number {
  const all = index.size;
  if (faceid === undefined && !groups) return k;
  const allowed =
    faceid === undefined ? memory.facesIn(groups ?? []) : (memory.people.get(faceid)?.faces.length ?? 0);
  if (allowed === 0) return k;
  return Math.max(k, Math.min(all, Math.ceil((2 * k * all) / allowed)));
}
