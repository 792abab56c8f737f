import {
  fnv1a,
  mulberry32,
  SeededTensors,
  seededValues,
  type TensorSpec,
} from '../../src/accuracy/seeded-weights.js';
import type { Tensor } from '../../src/models/weights/tensor.js';
import type { Picture } from '../../src/vision/types.js';
import type { TensorToWrite } from './torch-files.js';

export { SeededTensors };

/** A seeded tensor (see {@link seededValues}) as a state dict holds it. */
export function seededTensor(spec: TensorSpec): TensorToWrite {
  const { name, shape } = spec;
  if (name.endsWith('num_batches_tracked')) {
    const count = shape.reduce((product, size) => product * size, 1);
    return { name, shape, type: 'LongStorage', data: new Uint8Array(8 * count) };
  }
  return { name, shape, type: 'FloatStorage', data: new Uint8Array(seededValues(spec).buffer) };
}

/**
 * Weights for `pnet`, `rnet` or `onet` that find something in the made pictures: slopes from -1.2 to 1.2, so that all
 * kinds of PReLU occur, and a tenth of the movement in the heads that move boxes (test/golden/make_goldens.py).
 */
export class SeededMtcnn extends SeededTensors {
  constructor(readonly net: 'pnet' | 'rnet' | 'onet') {
    super();
  }

  override tensor(name: string, shape: readonly number[] = []): Tensor {
    const { data } = super.tensor(`${this.net}.${name}`, shape);
    if (/^(conv4_2|dense5_2|dense6_2)/.test(name)) {
      return { shape, data: data.map((value) => value * 0.1) };
    }
    if (!name.startsWith('prelu')) return { shape, data };
    return {
      shape,
      data: Float32Array.from(uniforms(`${this.net}.${name}`, shape[0]), (u) => 2.4 * u - 1.2),
    };
  }
}

/** The first `count` outputs of the generator for a name. */
function uniforms(name: string, count: number): Float64Array {
  const seed = fnv1a(name);
  return Float64Array.from({ length: count }, (_, i) => mulberry32(seed, i));
}

/** A made picture: squares of `cell` pixels, each of its own colour. */
export function seededPicture(name: string, width: number, height: number, cell: number): Picture {
  const columns = Math.ceil(width / cell);
  const colours = uniforms(name, columns * Math.ceil(height / cell) * 3).map((u) => Math.floor(u * 256));
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const square = (Math.floor(y / cell) * columns + Math.floor(x / cell)) * 3;
      for (let c = 0; c < 3; c++, at++) data[at] = colours[square + c];
    }
  }
  return { data, width, height };
}
