import { KaomonError } from '../../platform/errors.js';
import { type Pickled, PickledDict, unpickle } from './torch-state-pickle.js';
import { stateDictHandlers, type Storage } from './torch-state-storage.js';

/** torch.save's mark of the format before zip files. */
const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;

/** How such a file begins: protocol 2, then MAGIC as a LONG1 of ten bytes. */
const LEGACY_START = Buffer.from('80028a0a6cfc9c46f9206aa85019', 'hex');

/** What the reader of a format returns. */
export interface ReadPickle {
  readonly root: Pickled;
  /** Every storage that the pickle refers to; `start` is set and it ends inside the file. */
  readonly storages: ReadonlyMap<string, Storage>;
}

export function isLegacy(bytes: Buffer): boolean {
  return bytes.subarray(0, LEGACY_START.length).equals(LEGACY_START);
}

/**
 * Reads torch.save's format of 2016 to 2020: five pickles (magic number, protocol, the machine that wrote it, the
 * object, the storages' keys), then each storage as its length and its numbers.
 * @param bytes the whole file
 * @throws KaomonError SETUP naming what is wrong
 */
export function readLegacy(bytes: Buffer, source: string): ReadPickle {
  const refuse = (reason: string): never => {
    throw new KaomonError('SETUP', `${source} is not read: ${reason}.`);
  };
  const plain = { isAllowed: () => false, call: () => refuse('its header calls a function') };
  const handlers = stateDictHandlers(source);
  let at = 0;
  const next = (what: typeof plain | typeof handlers): Pickled => {
    const { value, end } = unpickle(bytes, at, source, what);
    at = end;
    return value;
  };

  if (next(plain) !== MAGIC) refuse('its magic number is not that of torch.save');
  const protocol = next(plain);
  if (protocol !== PROTOCOL) refuse(`its protocol is not ${PROTOCOL}`);
  const machine = next(plain);
  if (!(machine instanceof PickledDict) || machine.get('little_endian') !== true) {
    refuse('it was written by a big-endian machine');
  }
  const root = next(handlers);
  const keys = next(plain);
  if (!Array.isArray(keys)) return refuse('it has no list of storages');

  for (const key of keys) {
    const storage = typeof key === 'string' ? handlers.storages.get(key) : undefined;
    if (!storage || storage.start >= 0)
      return refuse(`its list of storages names one that is not its own, or twice the same`);
    if (at + 8 > bytes.length) return refuse('it is cut off before the numbers of its storages');
    const length = bytes.readBigInt64LE(at);
    if (length !== BigInt(storage.length)) {
      return refuse(
        `the storage ${storage.key} has ${length} elements where ${storage.length} were announced`,
      );
    }
    storage.start = at + 8;
    at = storage.start + storage.length * storage.bytesPerElement;
    if (at > bytes.length)
      return refuse(
        `it is cut off: the storage ${storage.key} ends ${at - bytes.length} bytes behind its end`,
      );
  }
  const lost = [...handlers.storages.values()].find(({ start }) => start < 0);
  if (lost) refuse(`the storage ${lost.key} is not in it`);
  return { root, storages: handlers.storages };
}
