import { crc32 } from 'node:zlib';

/** One tensor of a file to write; tensors that share a `storage` must have the same data. */
export interface TensorToWrite {
  name: string;
  shape: readonly number[];
  /** PyTorch's class: `FloatStorage`, `LongStorage`, ... */
  type: string;
  /** The bytes of the storage. */
  data: Uint8Array;
  /** Key of the storage; one of its own where left out. */
  storage?: string;
  /** Elements before the tensor's first. */
  offset?: number;
  strides?: readonly number[];
  /** `cpu` where left out. */
  location?: string;
  /** Written as a Parameter, as `torch.save(dict(model.named_parameters()))` does. */
  parameter?: boolean;
}

const ELEMENT_BYTES: Record<string, number> = {
  DoubleStorage: 8,
  LongStorage: 8,
  HalfStorage: 2,
  BFloat16Storage: 2,
};

/** Writes the few opcodes of pickle's protocol 2 that a state dict takes. */
export class PickleWriter {
  readonly #parts: Buffer[] = [Buffer.of(0x80, 2)];

  raw(...bytes: number[]): this {
    this.#parts.push(Buffer.from(bytes));
    return this;
  }

  global(module: string, name: string): this {
    this.#parts.push(Buffer.from(`c${module}\n${name}\n`));
    return this;
  }

  text(value: string): this {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(Buffer.byteLength(value));
    this.#parts.push(Buffer.from('X'), length, Buffer.from(value));
    return this;
  }

  integer(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value);
    this.#parts.push(Buffer.from('J'), bytes);
    return this;
  }

  /** MARK, the numbers, TUPLE. */
  integers(values: readonly number[]): this {
    this.raw(0x28);
    for (const value of values) this.integer(value);
    return this.raw(0x74);
  }

  /** STOP. */
  end(): Buffer {
    return Buffer.concat([...this.#parts, Buffer.from('.')]);
  }
}

interface Written {
  key: string;
  data: Uint8Array;
  elements: number;
}

function planStorages(tensors: readonly TensorToWrite[]): Map<TensorToWrite, Written> {
  return new Map(
    tensors.map((tensor, i) => [
      tensor,
      {
        key: tensor.storage ?? String(i),
        data: tensor.data,
        elements: tensor.data.byteLength / (ELEMENT_BYTES[tensor.type] ?? 4),
      },
    ]),
  );
}

function rowMajor(shape: readonly number[]): number[] {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
}

function pickleStateDict(plan: Map<TensorToWrite, Written>, view: boolean): Buffer {
  const pickle = new PickleWriter();
  pickle.global('collections', 'OrderedDict').raw(0x29, 0x52, 0x28);
  for (const [tensor, { key, elements }] of plan) {
    pickle.text(tensor.name);
    if (tensor.parameter) pickle.global('torch._utils', '_rebuild_parameter').raw(0x28);
    pickle.global('torch._utils', '_rebuild_tensor_v2').raw(0x28, 0x28);
    pickle
      .text('storage')
      .global('torch', tensor.type)
      .text(key)
      .text(tensor.location ?? 'cpu')
      .integer(elements);
    if (view) pickle.raw(0x4e);
    pickle.raw(0x74, 0x51).integer(tensor.offset ?? 0);
    pickle.integers(tensor.shape).integers(tensor.strides ?? rowMajor(tensor.shape));
    pickle.raw(0x89).global('collections', 'OrderedDict').raw(0x29, 0x52, 0x74, 0x52);
    if (tensor.parameter) pickle.raw(0x88).global('collections', 'OrderedDict').raw(0x29, 0x52, 0x74, 0x52);
  }
  // SETITEMS, then the attribute `_metadata` that state_dict() hangs on.
  pickle.raw(0x75, 0x7d).text('_metadata').global('collections', 'OrderedDict').raw(0x29, 0x52, 0x73, 0x62);
  return pickle.end();
}

function unique(plan: Map<TensorToWrite, Written>): Written[] {
  return [...new Map([...plan.values()].map((written) => [written.key, written])).values()];
}

/** The format of torch.save before 1.6 (and of `_use_new_zipfile_serialization=False` since). */
export function writeLegacy(tensors: readonly TensorToWrite[]): Buffer {
  const plan = planStorages(tensors);
  const storages = unique(plan);
  const keys = new PickleWriter().raw(0x5d, 0x28);
  for (const { key } of storages) keys.text(key);
  return Buffer.concat([
    Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex'),
    new PickleWriter().integer(1001).end(),
    new PickleWriter().raw(0x7d).text('little_endian').raw(0x88, 0x73).end(),
    pickleStateDict(plan, true),
    keys.raw(0x65).end(),
    ...storages.flatMap(({ data, elements }) => {
      const length = Buffer.alloc(8);
      length.writeBigInt64LE(BigInt(elements));
      return [length, data];
    }),
  ]);
}

/** The format of torch.save since 1.6. */
export function writeZip(tensors: readonly TensorToWrite[], byteOrder = 'little'): Buffer {
  const plan = planStorages(tensors);
  return writeStoredZip([
    ['archive/data.pkl', pickleStateDict(plan, false)],
    ['archive/byteorder', Buffer.from(byteOrder)],
    ...unique(plan).map(({ key, data }): [string, Uint8Array] => [`archive/data/${key}`, data]),
    ['archive/version', Buffer.from('3\n')],
  ]);
}

/** A zip file of entries that are stored as they are. */
export function writeStoredZip(entries: readonly (readonly [string, Uint8Array])[]): Buffer {
  const parts: Uint8Array[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [name, content] of entries) {
    const header = Buffer.alloc(30 + name.length);
    header.writeUInt32LE(0x04034b50, 0);
    header.writeUInt32LE(crc32(content), 14);
    header.writeUInt32LE(content.length, 18);
    header.writeUInt32LE(content.length, 22);
    header.writeUInt16LE(name.length, 26);
    header.write(name, 30);
    const central = Buffer.alloc(46 + name.length);
    central.writeUInt32LE(0x02014b50, 0);
    header.copy(central, 6, 4, 30);
    central.writeUInt32LE(at, 42);
    central.write(name, 46);
    parts.push(header, content);
    directory.push(central);
    at += header.length + content.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(Buffer.concat(directory).length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, ...directory, end]);
}
