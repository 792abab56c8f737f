import { fromBufferPromise } from 'yauzl';
import { KaomonError } from '../../platform/errors.js';
import type { ReadPickle } from './torch-state-legacy.js';
import { unpickle } from './torch-state-pickle.js';
import { stateDictHandlers } from './torch-state-storage.js';

/** How a zip file with an entry begins. */
const LOCAL_HEADER = 0x04034b50;

/** Where an entry's content lies in the file. */
interface Content {
  /** Its first byte. */
  start: number;
  bytes: number;
}

export function isZip(bytes: Buffer): boolean {
  return bytes.length >= 4 && bytes.readUInt32LE(0) === LOCAL_HEADER;
}

/**
 * Reads torch.save's format since 2020: a zip file of stored entries, `<name>/data.pkl` and one `<name>/data/<key>`
 * a storage.
 * @param bytes the whole file
 * @throws KaomonError SETUP naming what is wrong
 */
export async function readZip(bytes: Buffer, source: string): Promise<ReadPickle> {
  const refuse = (reason: string, cause?: unknown): never => {
    throw new KaomonError('SETUP', `${source} is not read: ${reason}.`, { cause });
  };
  const entries = await listEntries(bytes).catch((error: unknown) => {
    if (error instanceof UnfitEntry) return refuse(error.message);
    const why = error instanceof Error ? error.message.replace(/\.$/, '') : String(error);
    return refuse(`its zip directory is cut off or damaged (${why})`, error);
  });
  const pickles = [...entries].filter(([name]) => name.endsWith('/data.pkl'));
  if (pickles.length !== 1) return refuse(`it holds ${pickles.length} files data.pkl instead of one`);
  const [[main, pickle]] = pickles;
  const folder = main.slice(0, -'data.pkl'.length);
  const order = entries.get(`${folder}byteorder`);
  if (order && bytes.toString('latin1', order.start, order.start + order.bytes) !== 'little') {
    return refuse('it was written by a big-endian machine');
  }

  const handlers = stateDictHandlers(source);
  const { value } = unpickle(bytes.subarray(0, pickle.start + pickle.bytes), pickle.start, source, handlers);
  for (const storage of handlers.storages.values()) {
    const entry = entries.get(`${folder}data/${storage.key}`);
    if (!entry) return refuse(`the storage ${storage.key} is not in it`);
    if (entry.bytes !== storage.length * storage.bytesPerElement) {
      return refuse(
        `the storage ${storage.key} has ${entry.bytes} bytes where ${storage.length} elements were announced`,
      );
    }
    storage.start = entry.start;
  }
  return { root: value, storages: handlers.storages };
}

class UnfitEntry extends Error {}

/** @throws UnfitEntry when an entry is not stored as torch.save does; Error when the directory is damaged */
async function listEntries(bytes: Buffer): Promise<Map<string, Content>> {
  // Checked below instead, with messages that name the entry.
  const zip = await fromBufferPromise(bytes, { validateEntrySizes: false });
  const entries = new Map<string, Content>();
  for await (const entry of zip.eachEntry()) {
    const { fileName: name, compressionMethod, compressedSize, uncompressedSize } = entry;
    if (compressionMethod !== 0 || compressedSize !== uncompressedSize)
      throw new UnfitEntry(`its entry ${name} is compressed, which torch.save does not do`);
    if (entry.isEncrypted()) throw new UnfitEntry(`its entry ${name} is encrypted`);
    if (entries.has(name)) throw new UnfitEntry(`its entry ${name} occurs twice`);
    const { fileDataStart: start } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
    if (start + uncompressedSize > bytes.length)
      throw new UnfitEntry(`its entry ${name} ends after the end of the file`);
    entries.set(name, { start, bytes: uncompressedSize });
  }
  return entries;
}
