import type { VectorIndex } from './index/vector-index.js';
import type { Memory } from './memory.js';
import type { Face, Match, SearchOptions } from './types.js';

/**
 * The nearest of the people that `options` allow, each once, at the nearest of their faces and template. The index only
 * knows vectors: the nearest may be several of one person, of people who are not asked for, or just removed. So it is
 * searched deeper until `k` people are found or every vector was seen.
 * @param k 1 or more
 */
export async function findNearest(
  memory: Memory,
  index: VectorIndex,
  embedding: Float32Array,
  k: number,
  { groups, faceid }: SearchOptions,
): Promise<Match[]> {
  const enough = faceid === undefined ? k : 1;
  for (let depth = firstDepth(memory, index, k, { groups, faceid }); ;) {
    const { hits, isAll } = await index.search(embedding, depth);
    const found = new Map<string, Omit<Match, 'face'> & { face: Face | undefined }>();
    let changed = false;
    for (const { id, distance } of hits) {
      const owner = memory.ownerOf(id);
      changed ||= owner === undefined;
      if (!owner || (groups && !groups.has(owner.person.groupid))) continue;
      if (faceid !== undefined && owner.person.faceid !== faceid) continue;
      const match = found.get(owner.person.faceid);
      if (!match) found.set(owner.person.faceid, { ...owner, distance });
      else match.face ??= owner.face;
    }
    // A vector was removed since the index answered: its replacement may be nearer than the rest.
    if (changed) continue;
    const matches = [...found.values()].slice(0, enough);
    const isWhole = matches.length === enough && (faceid === undefined || matches.every(({ face }) => face));
    if (isWhole || isAll)
      return matches.map((match) => ({ ...match, face: match.face ?? match.person.faces[0] }));
    depth *= 4;
  }
}

/**
 * Least vectors to ask for where there are templates: it costs no more than one, and nearly always also finds a face of a
 * person who is found by the template.
 */
const WITH_FACES = 16;

/**
 * How many vectors to ask for first, so that they can be expected to hold `k` people: more than `k` where people have
 * several faces or only some may be found.
 */
function firstDepth(
  memory: Memory,
  index: VectorIndex,
  k: number,
  { groups, faceid }: SearchOptions,
): number {
  const all = index.size;
  if (faceid === undefined && !groups) {
    const each = all / Math.max(1, memory.count().people);
    return Math.max(k, Math.ceil(k * each), all > memory.count().faces ? WITH_FACES : 0);
  }
  const allowed =
    faceid === undefined ? memory.facesIn(groups ?? []) : (memory.person(faceid)?.faces.length ?? 0);
  if (allowed === 0) return k;
  return Math.max(k, Math.min(all, Math.ceil((2 * k * all) / allowed)));
}
