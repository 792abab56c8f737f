import { open } from 'node:fs/promises';
import path from 'node:path';
import { KaomonError } from '../../platform/errors.js';
import { checkShape, type Tensor } from './tensor.js';
import { isLegacy, readLegacy, type ReadPickle } from './torch-state-legacy.js';
import { PickledDict } from './torch-state-pickle.js';
import { asTensor, type StoredTensor } from './torch-state-storage.js';
import { isZip, readZip } from './torch-state-zip.js';

/** Alignment of a float32 view, bytes. */
const ROOM = 4;

/** The tensors of a PyTorch state dict, by name. The file is in memory once; a tensor is taken from it when asked for. */
export class TorchState {
  readonly #bytes: Buffer;
  readonly #tensors: ReadonlyMap<string, StoredTensor>;
  readonly #source: string;

  /** @param source the file's name, for messages */
  constructor(bytes: Buffer, tensors: ReadonlyMap<string, StoredTensor>, source: string) {
    this.#bytes = bytes;
    this.#tensors = tensors;
    this.#source = source;
  }

  /** In the order of the file. */
  get names(): string[] {
    return [...this.#tensors.keys()];
  }

  /** By how many bytes most of the float32 numbers miss the alignment of a view, 0 to 3. */
  get misalignment(): number {
    const missed = [0, 0, 0, 0];
    for (const { storage } of this.#tensors.values()) {
      if (storage.type === 'float32')
        missed[(this.#bytes.byteOffset + storage.start) % ROOM] += storage.length;
    }
    return missed.indexOf(Math.max(...missed));
  }

  /**
   * A tensor as float32, row-major. It is a view of the file's bytes where they are aligned and in order, so do not
   * change it.
   * @throws KaomonError SETUP when there is no such tensor, its shape differs or it holds whole numbers
   */
  tensor(name: string, shape?: readonly number[]): Tensor {
    const stored = this.#tensors.get(name);
    if (!stored) throw new KaomonError('SETUP', `${this.#source} holds no tensor "${name}".`);
    checkShape(this.#source, name, stored, shape);
    return { shape: stored.shape, data: this.#numbers(name, stored) };
  }

  /** The numbers of a tensor of one dimension. @throws as {@link tensor} */
  values(name: string, length: number): Float32Array {
    return this.tensor(name, [length]).data;
  }

  #numbers(name: string, { storage, offset, shape, strides }: StoredTensor): Float32Array {
    const count = shape.reduce((product, size) => product * size, 1);
    const start = storage.start + offset * storage.bytesPerElement;
    const bytes = this.#bytes;
    const isWhole = isRowMajor(shape, strides);
    if (storage.type === 'float32' && isWhole) {
      const from = bytes.byteOffset + start;
      if (from % 4 === 0) return new Float32Array(bytes.buffer, from, count);
      return new Float32Array(Uint8Array.prototype.slice.call(bytes, start, start + count * 4).buffer);
    }
    const read = this.#reader(name, storage.type);
    const out = new Float32Array(count);
    const step = storage.bytesPerElement;
    if (isWhole) {
      for (let i = 0; i < count; i++) out[i] = read(start + i * step);
      return out;
    }
    const index = shape.map(() => 0);
    let element = 0;
    for (let i = 0; i < count; i++) {
      out[i] = read(start + element * step);
      // Count up the index like an odometer, the last axis fastest.
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        element += strides[axis];
        if (++index[axis] < shape[axis]) break;
        element -= strides[axis] * shape[axis];
        index[axis] = 0;
      }
    }
    return out;
  }

  #reader(name: string, type: StoredTensor['storage']['type']): (at: number) => number {
    const bytes = this.#bytes;
    switch (type) {
      case 'float32':
        return (at) => bytes.readFloatLE(at);
      case 'float64':
        return (at) => bytes.readDoubleLE(at);
      case 'float16':
        return (at) => halfToNumber(bytes.readUInt16LE(at));
      case 'bfloat16': {
        const word = Buffer.alloc(4);
        return (at) => {
          word.writeUInt16LE(bytes.readUInt16LE(at), 2);
          return word.readFloatLE(0);
        };
      }
      default:
        throw new KaomonError(
          'SETUP',
          `${this.#source}: "${name}" holds ${type} where weights were expected.`,
        );
    }
  }
}

/** What a network is built from. */
export type NamedTensors = Pick<TorchState, 'tensor' | 'values'>;

/**
 * Reads a `.pt` file: the state dict of a network in either of torch.save's formats. Nothing in the file is run (see
 * torch-state-pickle.ts), every length is checked against the file.
 * @throws KaomonError SETUP when the file is cut off, hostile or something else; the message says what was found
 */
export async function readTorchState(file: string): Promise<TorchState> {
  const source = path.basename(file);
  const content = await readWithRoom(file);
  const bytes = content.subarray(0, content.length - ROOM);
  const state = await parseTorchState(bytes, source);
  const shift = state.misalignment;
  if (shift === 0) return state;
  // The old format does not align its numbers. Moved once by a few bytes, no tensor needs a copy of its own.
  content.copyWithin(ROOM - shift, 0, bytes.length);
  return await parseTorchState(content.subarray(ROOM - shift, ROOM - shift + bytes.length), source);
}

/** The bytes of a file followed by {@link ROOM} unused ones. */
async function readWithRoom(file: string): Promise<Buffer> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const content = Buffer.from(new ArrayBuffer(size + ROOM));
    let at = 0;
    while (at < size) {
      const { bytesRead } = await handle.read(content, at, size - at, at);
      if (bytesRead === 0) throw new KaomonError('SETUP', `${file} became shorter while it was read.`);
      at += bytesRead;
    }
    return content;
  } finally {
    await handle.close();
  }
}

/**
 * Like {@link readTorchState}, from memory.
 * @param bytes the whole file; kept and never written
 * @param source the file's name, for messages
 */
export async function parseTorchState(bytes: Buffer, source: string): Promise<TorchState> {
  const { root } = await readAny(bytes, source);
  if (!(root instanceof PickledDict))
    throw new KaomonError('SETUP', `${source} is not read: it does not hold a state dict.`);
  const tensors = new Map<string, StoredTensor>();
  for (const [name, value] of root) {
    const tensor = asTensor(value);
    if (typeof name !== 'string' || !tensor) {
      const entry = typeof name === 'string' ? `"${name}"` : 'without a name';
      throw new KaomonError('SETUP', `${source} is not read: its entry ${entry} is not a tensor.`);
    }
    tensors.set(name, tensor);
  }
  return new TorchState(bytes, tensors, source);
}

async function readAny(bytes: Buffer, source: string): Promise<ReadPickle> {
  if (isZip(bytes)) return await readZip(bytes, source);
  if (isLegacy(bytes)) return readLegacy(bytes, source);
  throw new KaomonError(
    'SETUP',
    `${source} is not read: its magic number is not that of torch.save. Fetch the file again.`,
  );
}

/** Whether elements are in the same order in the storage and in the tensor; an axis of length 1 may have any stride. */
function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis];
  }
  return true;
}

/** Converts IEEE 754 binary16. Our own, because @petamoriken/float16's getFloat16 takes 15 times as long. */
function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
