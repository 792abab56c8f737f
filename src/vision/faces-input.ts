import type { ReadyEmbedder } from '../models/types.js';
import { toPlanes } from './resample.js';

/** The input of an embedder's network. */
export interface FacesInput {
  /** [n, 3, size, size]; reused for every run. */
  readonly data: Float32Array;
  /** @param crop RGB, interleaved, `size * size * 3` bytes; only read */
  fill(crop: Uint8Array, index: number): void;
}

/** @param count the most faces in a run */
export function facesInput(
  { size, colour, mean, scale }: Pick<ReadyEmbedder, 'size' | 'colour' | 'mean' | 'scale'>,
  count: number,
): FacesInput {
  const plane = size * size;
  const face = 3 * plane;
  const data = new Float32Array(count * face);
  return {
    data,
    fill(crop, index) {
      const start = index * face;
      toPlanes(crop, size, size, data, { side: size, start });
      if (colour === 'bgr') {
        const red = data.slice(start, start + plane);
        data.copyWithin(start, start + 2 * plane, start + face);
        data.set(red, start + 2 * plane);
      }
      if (mean !== 0 || scale !== 1) {
        for (let i = start; i < start + face; i++) data[i] = (data[i] - mean) * scale;
      }
    },
  };
}
