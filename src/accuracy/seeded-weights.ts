import type { Tensor } from '../models/weights/tensor.js';
import type { NamedTensors } from '../models/weights/torch-state.js';

/** What {@link seededValues} needs to know about a tensor. */
export interface TensorSpec {
  name: string;
  shape: readonly number[];
}

/**
 * Weights that can be reproduced in any language (the reference data has them from Python): number i of a tensor is output i
 * of mulberry32 with the seed FNV-1a(name). Weights of layers are within the bounds of He's initialisation, scales and
 * variances of norms between 0.8 and 1.2, and everything else between -0.1 and 0.1. A network with such weights takes as
 * long as the real one.
 */
export function seededValues({ name, shape }: TensorSpec): Float32Array<ArrayBuffer> {
  const isLayer = shape.length > 1;
  const isScale = name.endsWith('weight') || name.endsWith('running_var');
  const bound = Math.sqrt(6 / shape.slice(1).reduce((product, size) => product * size, 1));
  const seed = fnv1a(name);
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
  for (let i = 0; i < data.length; i++) {
    const u = mulberry32(seed, i);
    data[i] = isLayer ? (2 * u - 1) * bound : isScale ? 0.8 + 0.4 * u : -0.1 + 0.2 * u;
  }
  return data;
}

/** FNV-1a of a text, 32 bits. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

/** Output `index` (from 0) of the generator mulberry32 for a seed, in [0, 1). */
export function mulberry32(seed: number, index: number): number {
  const a = (seed + Math.imul(index + 1, 0x6d2b79f5)) | 0;
  let t = Math.imul(a ^ (a >>> 15), a | 1);
  t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}

/** Seeded weights for any network, made on demand; `specs` lists the tensors that were asked for. */
export class SeededTensors implements NamedTensors {
  readonly specs: TensorSpec[] = [];

  tensor(name: string, shape: readonly number[] = []): Tensor {
    this.specs.push({ name, shape });
    return { shape, data: seededValues({ name, shape }) };
  }

  values(name: string, length: number): Float32Array {
    return this.tensor(name, [length]).data;
  }
}
