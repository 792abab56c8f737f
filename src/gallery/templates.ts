import type { VectorIndex } from './index/vector-index.js';

/** The vectors of a person's faces, added up. Only ever added to: what is begun anew after a removal cannot drift. */
interface Sum {
  values: Float64Array;
  count: number;
  /** The template's id in the index; undefined while there is none. */
  id: string | undefined;
}

/**
 * A mean that is shorter points nowhere: opposite vectors have nearly put each other out. Two unrelated faces have one
 * of about 0.7, a hundred of about 0.1.
 */
const SHORTEST_MEAN = 0.01;

/** The people's templates; see {@link createTemplates}. */
export type Templates = ReturnType<typeof createTemplates>;

/**
 * A template for everyone with two faces or more: the mean of the faces' vectors at unit length, one more vector in the
 * index. It is made from the faces alone and stored nowhere. Each is a new vector under a new id, so that no search
 * can answer an old one, whenever it began.
 */
export function createTemplates(index: VectorIndex) {
  const sums = new Map<string, Sum>();
  const owners = new Map<string, string>();
  let made = 0;

  function withdraw(sum: Sum): void {
    if (sum.id === undefined) return;
    index.remove(sum.id);
    owners.delete(sum.id);
    sum.id = undefined;
  }

  function show(faceid: string, sum: Sum): void {
    withdraw(sum);
    if (sum.count < 2) return;
    const { values } = sum;
    let squares = 0;
    for (const value of values) squares += value * value;
    const length = Math.sqrt(squares);
    if (length < SHORTEST_MEAN * sum.count) return;
    const template = new Float32Array(values.length);
    for (let i = 0; i < values.length; i++) template[i] = values[i] / length;
    // No face is called so: the id of a face begins with its faceid, and a faceid with a letter, a digit or "_".
    const id = `/${made}`;
    made += 1;
    index.add(id, template);
    owners.set(id, faceid);
    sum.id = id;
  }

  return {
    /** Whose template an id of the index is; undefined for everything else. */
    ownerOf: (id: string): string | undefined => owners.get(id),

    /** Faces that a person's sum holds, 0 while there is none. */
    count: (faceid: string): number => sums.get(faceid)?.count ?? 0,

    /** @param vectors of faces that the sum does not hold yet; those of all faces where there is no sum; only read */
    add(faceid: string, vectors: readonly Float32Array[]): void {
      if (vectors.length === 0) return;
      const sum: Sum = sums.get(faceid) ?? {
        values: new Float64Array(vectors[0].length),
        count: 0,
        id: undefined,
      };
      sums.set(faceid, sum);
      const { values } = sum;
      for (const vector of vectors) for (let i = 0; i < values.length; i++) values[i] += vector[i];
      sum.count += vectors.length;
      show(faceid, sum);
    },

    /** From then on no search answers the person's template. */
    drop(faceid: string): void {
      const sum = sums.get(faceid);
      if (!sum) return;
      withdraw(sum);
      sums.delete(faceid);
    },
  };
}
