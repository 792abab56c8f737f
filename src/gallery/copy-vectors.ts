import type { BaseVectors } from './base/base.js';
import type { LayerPerson } from './base/layer.js';
import type { VectorsOf } from './types.js';

/**
 * Copies the vectors of people for whom a base answers; those who follow each other there in one go.
 * @param find somebody of the base; undefined for whom it does not answer
 * @returns of each, whether the base has exactly these faces
 */
export function copyVectors(
  vectors: BaseVectors,
  find: (faceid: string) => LayerPerson | undefined,
  of: readonly VectorsOf[],
  into: Float32Array,
): boolean[] {
  let run = { first: 0, end: 0, at: 0 };
  const copy = () => {
    if (run.end > run.first) vectors.copyRows(run, into, run.at);
  };
  const copied = of.map(({ faceid, ids, at }) => {
    const known = find(faceid);
    const faces = known?.person.faces ?? [];
    if (!known || faces.length !== ids.length || !faces.every(({ id }, i) => id === ids[i])) return false;
    const { first } = known.rows;
    if (first !== run.end || at - run.at !== run.end - run.first) {
      copy();
      run = { first, end: first, at };
    }
    run.end += ids.length;
    return true;
  });
  copy();
  return copied;
}
