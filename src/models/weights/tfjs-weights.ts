import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { KaomonError } from '../../platform/errors.js';
import { checkShape, type Tensor } from './tensor.js';

interface ManifestEntry {
  name: string;
  shape: number[];
  dtype: string;
  quantization?: { dtype: string; scale: number; min: number };
}

const BYTES = { float32: 4, int32: 4, uint8: 1, uint16: 2 } as const;
type StoredType = keyof typeof BYTES;

/** The tensors of a TensorFlow.js weight manifest, by name. */
export class TfjsWeights {
  readonly #tensors: Map<string, Tensor>;
  readonly #source: string;

  constructor(tensors: Map<string, Tensor>, source: string) {
    this.#tensors = tensors;
    this.#source = source;
  }

  /** @throws KaomonError SETUP when there is no such tensor, or its shape differs */
  tensor(name: string, shape?: readonly number[]): Tensor {
    const tensor = this.#tensors.get(name);
    if (!tensor) throw new KaomonError('SETUP', `${this.#source} holds no tensor "${name}".`);
    checkShape(this.#source, name, tensor, shape);
    return tensor;
  }

  values(name: string): Float32Array {
    return this.tensor(name).data;
  }

  /** A convolution's weight [height, width, in, out] in ONNX's order [out, in, height, width]. */
  convWeight(name: string): Tensor {
    const { shape, data } = this.tensor(name);
    const [height, width, inputs, outputs] = shape;
    return permute(
      data,
      [outputs, inputs, height, width],
      (o, i, y, x) => ((y * width + x) * inputs + i) * outputs + o,
    );
  }

  /** A depthwise convolution's weight [height, width, channels, 1] as [channels, 1, height, width]. */
  depthwiseWeight(name: string): Tensor {
    const { shape, data } = this.tensor(name);
    const [height, width, channels] = shape;
    return permute(data, [channels, 1, height, width], (c, _, y, x) => (y * width + x) * channels + c);
  }
}

/**
 * Reads a manifest and its binary file(s): float32 and int32 as they are, uint8 and uint16 quantised by `value * scale
 * + min`. All numbers come out as float32.
 * @param manifestFile path of `*-weights_manifest.json`
 * @param binary returns the path of a binary that the manifest names; left out: beside it
 * @throws KaomonError SETUP when the manifest and the binary do not match
 */
export async function readTfjsWeights(
  manifestFile: string,
  binary = (name: string) => path.join(path.dirname(manifestFile), path.basename(name)),
): Promise<TfjsWeights> {
  const groups = JSON.parse(await readFile(manifestFile, 'utf8')) as {
    weights: ManifestEntry[];
    paths: string[];
  }[];
  const tensors = new Map<string, Tensor>();
  for (const { weights, paths } of groups) {
    const bytes = Buffer.concat(await Promise.all(paths.map((name) => readFile(binary(name)))));
    let offset = 0;
    for (const entry of weights) {
      const stored = (entry.quantization?.dtype ?? entry.dtype) as StoredType;
      const count = entry.shape.reduce((product, size) => product * size, 1);
      if (!(stored in BYTES))
        refuse(manifestFile, `"${entry.name}" is stored as ${stored}, which is not known here`);
      const end = offset + count * BYTES[stored];
      if (end > bytes.length) refuse(manifestFile, `"${entry.name}" ends after the end of the weights`);
      tensors.set(entry.name, {
        shape: entry.shape,
        data: decode(bytes, offset, count, stored, entry.quantization),
      });
      offset = end;
    }
    if (offset !== bytes.length) refuse(manifestFile, `${bytes.length - offset} bytes belong to no tensor`);
  }
  return new TfjsWeights(tensors, path.basename(manifestFile));
}

function refuse(file: string, reason: string): never {
  throw new KaomonError(
    'SETUP',
    `${path.basename(file)} is damaged: ${reason}. Install the package again (npm ci).`,
  );
}

function decode(
  bytes: Buffer,
  offset: number,
  count: number,
  stored: StoredType,
  quantization: { scale: number; min: number } = { scale: 1, min: 0 },
): Float32Array {
  const out = new Float32Array(count);
  const read = {
    float32: (at: number) => bytes.readFloatLE(at),
    int32: (at: number) => bytes.readInt32LE(at),
    uint8: (at: number) => bytes[at],
    uint16: (at: number) => bytes.readUInt16LE(at),
  }[stored];
  for (let i = 0; i < count; i++) {
    out[i] = read(offset + i * BYTES[stored]) * quantization.scale + quantization.min;
  }
  return out;
}

function permute(
  data: Float32Array,
  shape: [number, number, number, number],
  source: (a: number, b: number, c: number, d: number) => number,
): Tensor {
  const out = new Float32Array(data.length);
  let at = 0;
  for (let a = 0; a < shape[0]; a++)
    for (let b = 0; b < shape[1]; b++)
      for (let c = 0; c < shape[2]; c++)
        for (let d = 0; d < shape[3]; d++) out[at++] = data[source(a, b, c, d)];
  return { shape, data: out };
}
