import type { VectorIndex } from './index/vector-index.js';

/** The sum of the vectors of a person's faces. Never subtracted from, so that it cannot drift: a removal starts a new one. */
interface Sum {
  values: Float64Array;
  count: number;
  /** The template's id in the index; undefined while there is none. */
  id: string | undefined;
}

/**
 * A shorter mean has no meaningful direction: its vectors nearly cancel out. That of two unrelated faces is about 0.7 long,
 * that of a hundred about 0.1.
 */
const SHORTEST_MEAN = 0.01;

/** The mean of vectors at unit length; undefined where there are fewer than two, or it has no direction. */
export function templateOf(vectors: readonly Float32Array[]): Float32Array | undefined {
  if (vectors.length < 2) return undefined;
  const values = new Float64Array(vectors[0].length);
  for (const vector of vectors) addTo(values, vector);
  return toTemplate({ values, count: vectors.length });
}

function addTo(values: Float64Array, vector: Float32Array): void {
  for (let i = 0; i < values.length; i++) values[i] += vector[i];
}

function toTemplate({ values, count }: Pick<Sum, 'values' | 'count'>): Float32Array | undefined {
  let squares = 0;
  for (const value of values) squares += value * value;
  const length = Math.sqrt(squares);
  return length < SHORTEST_MEAN * count ? undefined : Float32Array.from(values, (value) => value / length);
}

/** See {@link createTemplates}. */
export type Templates = ReturnType<typeof createTemplates>;

/**
 * The templates of people with two faces or more: the mean of the faces' vectors at unit length, as one more vector in the
 * index. It is not stored. A changed template gets a new id, so that a search that began earlier cannot find the old one.
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

  function replace(faceid: string, sum: Sum): void {
    withdraw(sum);
    if (sum.count < 2) return;
    const template = toTemplate(sum);
    if (!template) return;
    // No face has such an id: those begin with a letter, a digit or "_".
    const id = `/${made}`;
    made += 1;
    index.add(id, template);
    owners.set(id, faceid);
    sum.id = id;
  }

  return {
    /** Whose template has this id in the index; undefined when it is not one. */
    ownerOf: (id: string): string | undefined => owners.get(id),

    /** How many faces a person's sum holds; 0 when there is none. */
    count: (faceid: string): number => sums.get(faceid)?.count ?? 0,

    /** @param vectors of the faces to add, or of all faces where there is no sum yet; only read */
    add(faceid: string, vectors: readonly Float32Array[]): void {
      if (vectors.length === 0) return;
      const sum: Sum = sums.get(faceid) ?? {
        values: new Float64Array(vectors[0].length),
        count: 0,
        id: undefined,
      };
      sums.set(faceid, sum);
      for (const vector of vectors) addTo(sum.values, vector);
      sum.count += vectors.length;
      replace(faceid, sum);
    },

    /** Once it returns, no search finds the person's template. */
    drop(faceid: string): void {
      const sum = sums.get(faceid);
      if (!sum) return;
      withdraw(sum);
      sums.delete(faceid);
    },
  };
}
