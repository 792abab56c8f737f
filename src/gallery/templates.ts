import type { VectorIndex } from './index/vector-index.js';

/** The vectors of a person's faces, added up. */
interface Sum {
  /** In steps of 2^-40; see {@link ROUND}. */
  values: Float64Array;
  count: number;
  /** The template's id in the index; undefined while there is none. */
  id: string | undefined;
}

/**
 * Adding and taking away this number rounds a value between -2048 and 2048 to steps of 2^-40, a thousand times finer
 * than the last bit of a float32 at 0.01. Sums of such steps are exact in float64 up to 8,192 faces: the template is the
 * same to the bit in whatever order the faces came.
 */
const ROUND = 1.5 * 2 ** 12;
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
    const length = Math.sqrt(sum.values.reduce((total, value) => total + value * value, 0));
    if (length < SHORTEST_MEAN * sum.count) return;
    // No face is called so: the id of a face begins with its faceid, and a faceid with a letter, a digit or "_".
    const id = `/${made}`;
    made += 1;
    index.add(
      id,
      Float32Array.from(sum.values, (value) => value / length),
    );
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
      for (const vector of vectors)
        for (let i = 0; i < values.length; i++) values[i] += vector[i] + ROUND - ROUND;
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
