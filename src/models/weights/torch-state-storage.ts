import { KaomonError } from '../../platform/errors.js';
import {
  type Pickled,
  PickledDict,
  PickledGlobal,
  PickledObject,
  type PickleHandlers,
} from './torch-state-pickle.js';

/** The element types that are read, by the storage class that a pickle names. */
const ELEMENTS = {
  'torch FloatStorage': { name: 'float32', bytes: 4 },
  'torch DoubleStorage': { name: 'float64', bytes: 8 },
  'torch HalfStorage': { name: 'float16', bytes: 2 },
  'torch BFloat16Storage': { name: 'bfloat16', bytes: 2 },
  'torch LongStorage': { name: 'int64', bytes: 8 },
  'torch IntStorage': { name: 'int32', bytes: 4 },
  'torch ShortStorage': { name: 'int16', bytes: 2 },
  'torch CharStorage': { name: 'int8', bytes: 1 },
  'torch ByteStorage': { name: 'uint8', bytes: 1 },
  'torch BoolStorage': { name: 'bool', bytes: 1 },
} as const;

export type ElementType = (typeof ELEMENTS)[keyof typeof ELEMENTS]['name'];

/** A run of numbers in the file, shared by all tensors that are views of it. */
export interface Storage {
  readonly key: string;
  readonly type: ElementType;
  readonly bytesPerElement: number;
  /** Elements. */
  readonly length: number;
  /** Byte of the file at which it begins; -1 until the format's reader has found it. */
  start: number;
}

/** A view of a storage as PyTorch writes it: offset and strides count elements. */
export interface StoredTensor {
  readonly storage: Storage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** A stride of 0 repeats a number at no cost, so a small hostile file could ask for any amount of memory. */
const MAX_ELEMENTS = 2 ** 28;

const ORDERED_DICT = 'collections OrderedDict';
const REBUILD_TENSOR = 'torch._utils _rebuild_tensor_v2';
const REBUILD_PARAMETER = 'torch._utils _rebuild_parameter';

/**
 * The few names that a state dict of tensors needs, and the storages it refers to.
 * @param source the file's name, for messages
 */
export function stateDictHandlers(source: string): PickleHandlers & { storages: Map<string, Storage> } {
  const storages = new Map<string, Storage>();
  const refuse = (reason: string): never => {
    throw new KaomonError('SETUP', `${source} is not read: ${reason}.`);
  };
  return {
    storages,
    isAllowed: (name) =>
      name === ORDERED_DICT ||
      name === REBUILD_TENSOR ||
      name === REBUILD_PARAMETER ||
      Object.hasOwn(ELEMENTS, name),
    call: (name, args) => {
      if (name === ORDERED_DICT && args.length === 0) return new PickledDict();
      if (name === REBUILD_TENSOR)
        return new PickledObject(rebuildTensor(args) ?? refuse('a tensor is malformed'));
      if (name === REBUILD_PARAMETER && asTensor(args[0])) return args[0];
      return refuse(`it calls ${name} in a way that state dicts do not`);
    },
    persistent: (id) => {
      const storage = readStorage(id) ?? refuse('a reference to a storage is malformed');
      const known = storages.get(storage.key);
      if (known && (known.type !== storage.type || known.length !== storage.length)) {
        return refuse(`the storage ${storage.key} is described in two ways`);
      }
      if (!known) storages.set(storage.key, storage);
      return new PickledObject(known ?? storage);
    },
  };
}

/** The tensor behind a pickled value, or undefined when it is something else. */
export function asTensor(value: Pickled): StoredTensor | undefined {
  if (!(value instanceof PickledObject)) return undefined;
  const inner = value.value as Partial<StoredTensor>;
  return inner.storage ? (inner as StoredTensor) : undefined;
}

/** (`storage`, type, key, location, length[, view]): the location, such as `cuda:0`, does not matter here. */
function readStorage(id: Pickled): Storage | undefined {
  if (!Array.isArray(id) || id.length < 5 || id[0] !== 'storage') return undefined;
  const [, type, key, , length, view] = id;
  if (!(type instanceof PickledGlobal) || !Object.hasOwn(ELEMENTS, type.name)) return undefined;
  if (typeof key !== 'string' || !isCount(length)) return undefined;
  // Views of storages ended with PyTorch 0.4; nobody publishes such files any more.
  if (view !== undefined && view !== null) return undefined;
  const element = ELEMENTS[type.name as keyof typeof ELEMENTS];
  return { key, type: element.name, bytesPerElement: element.bytes, length, start: -1 };
}

/** (storage, offset, shape, strides, requires_grad, hooks), checked to stay inside its storage. */
function rebuildTensor([reference, offset, shape, strides]: readonly Pickled[]): StoredTensor | undefined {
  if (!(reference instanceof PickledObject) || !isCount(offset)) return undefined;
  const storage = reference.value as Storage | StoredTensor;
  if (!('key' in storage) || !isCounts(shape) || !isCounts(strides) || shape.length !== strides.length)
    return undefined;
  const empty = shape.includes(0);
  const last = shape.reduce((at, size, axis) => at + (size - 1) * strides[axis], offset);
  if (!empty && last >= storage.length) return undefined;
  if (shape.reduce((product, size) => product * size, 1) > MAX_ELEMENTS) return undefined;
  return { storage, offset, shape, strides };
}

function isCount(value: Pickled): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isCounts(value: Pickled): value is number[] {
  return Array.isArray(value) && value.length <= 8 && value.every(isCount);
}
