import type { VectorIndex } from './index/vector-index.js';
import type { Memory } from './memory.js';
import type { Face, Match, SearchOptions } from './types.js';

/**
 * The nearest people, each once, of those that may be found, each at the nearest of the faces and the template. The
 * index knows vectors only: several of one person, of people who may not be found, or that were just removed can be
 * nearest, so it is searched deeper until `k` people are found or every vector was seen.
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
    // Between the index's answer and here: what took the place of the one that is gone may be nearer than the rest.
    if (changed) continue;
    const matches = [...found.values()].slice(0, enough);
    const isWhole = matches.length === enough && (faceid === undefined || matches.every(({ face }) => face));
    if (isWhole || isAll)
      return matches.map((match) => ({ ...match, face: match.face ?? match.person.faces[0] }));
    depth *= 4;
  }
}

/**
 * Where there are templates so many vectors are asked for, which costs no more than one: a face of whoever is found at a
 * template is among them nearly always.
 */
const WITH_FACES = 16;

/**
 * Asking for `k` vectors first would be in vain where people have several, or few of them may be found: begin where `k`
 * of the people are expected.
 */
function firstDepth(
  memory: Memory,
  index: VectorIndex,
  k: number,
  { groups, faceid }: SearchOptions,
): number {
  const all = index.size;
  if (faceid === undefined && !groups) {
    const each = all / Math.max(1, memory.people.size);
    return Math.max(k, Math.ceil(k * each), all > memory.faces.size ? WITH_FACES : 0);
  }
  const allowed =
    faceid === undefined ? memory.facesIn(groups ?? []) : (memory.people.get(faceid)?.faces.length ?? 0);
  if (allowed === 0) return k;
  return Math.max(k, Math.min(all, Math.ceil((2 * k * all) / allowed)));
}
