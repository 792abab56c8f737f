/** A zip's list of entries, which may be made to harm: every number in it is checked against the file's size. */
import { type Entry, fromRandomAccessReaderPromise, RandomAccessReader, type ZipFile } from 'yauzl';
import { KaomonError } from '../../platform/errors.js';
import { pictureName, refuseArchive } from './format.js';
import { readAt } from './nameless.js';

/**
 * An archive that unpacks to more than so many times its size, plus a little, is a zip bomb: vectors and pictures are not
 * compressed, and the rest does not shrink to a hundredth.
 */
const MOST_GROWTH = 100;
const SMALL = 1_000_000;
/** The most entries of an archive. */
const MAX_ENTRIES = 2_000_000;
/** No export has a longer name. */
export const NAME_BYTES = 400;
/** An entry of the list is at least so long without its name; so are the header before a content, and the list's end. */
const CENTRAL = 46;
export const LOCAL = 30;
const END = 22;
export const STORED = 0;
const DEFLATED = 8;
/** General purpose bits: the content is encrypted in one way or another. */
export const ENCRYPTED = 0x2041;
/** Unix's type of file in the external attributes: a regular file, or none is given. */
const TYPE_SHIFT = 28;
const REGULAR = 8;
const UNIX = 3;
/** Read ahead in the list of entries, bytes. */
const BLOCK = 1 << 18;

/** Reads the list of entries in blocks; yauzl reads each in two pieces. Never closes the descriptor. */
class ListReader extends RandomAccessReader {
  private block: Buffer = Buffer.alloc(0);
  private start = 0;

  constructor(private readonly descriptor: number) {
    super();
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    const from = position - this.start;
    if (from >= 0 && from + length <= this.block.length) {
      this.block.copy(buffer, offset, from, from + length);
      callback(null);
      return;
    }
    readAt(this.descriptor, position, Math.max(length, BLOCK)).then(
      (block) => {
        this.block = block;
        this.start = position;
        block.copy(buffer, offset, 0, length);
        callback(block.length < length ? new Error('The file ends too early.') : null);
      },
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error))),
    );
  }
}

/** The numbers of many entries, in few bytes each. */
class Table {
  private numbers = new Float64Array(1 << 10);
  private limits = new Float64Array(0);
  /** A name, or the row of a picture. */
  private readonly labels: (string | number)[] = [];
  count = 0;

  /** @returns the entry's number */
  add(label: string | number, entry: Entry): number {
    const {
      relativeOffsetOfLocalHeader,
      compressedSize,
      uncompressedSize,
      crc32: crc,
      compressionMethod,
    } = entry;
    this.labels.push(label);
    if ((this.count + 1) * 4 > this.numbers.length) {
      const grown = new Float64Array(this.numbers.length * 2);
      grown.set(this.numbers);
      this.numbers = grown;
    }
    const method = compressionMethod === DEFLATED ? 2 ** 32 : 0;
    this.numbers.set(
      [relativeOffsetOfLocalHeader, compressedSize, uncompressedSize, crc + method],
      this.count * 4,
    );
    return this.count++;
  }

  name(entry: number): string {
    const label = this.labels[entry];
    return typeof label === 'string' ? label : pictureName(label);
  }

  place = (entry: number): number => this.numbers[entry * 4];
  packed = (entry: number): number => this.numbers[entry * 4 + 1];
  bytes = (entry: number): number => this.numbers[entry * 4 + 2];
  crc = (entry: number): number => this.numbers[entry * 4 + 3] % 2 ** 32;
  method = (entry: number): number => (this.numbers[entry * 4 + 3] >= 2 ** 32 ? DEFLATED : STORED);
  /** Where the next entry begins, or the list. */
  limit = (entry: number): number => this.limits[entry];

  /** @param end where the list begins at the latest @returns false when two lie in the same place */
  setLimits(end: number): boolean {
    const order = new Uint32Array(this.count).map((_, i) => i).sort((a, b) => this.place(a) - this.place(b));
    this.limits = new Float64Array(this.count);
    for (let i = order.length - 1, limit = end; i >= 0; i--) {
      const entry = order[i];
      if (this.place(entry) + LOCAL + this.packed(entry) > limit) return false;
      this.limits[entry] = limit;
      limit = this.place(entry);
    }
    return true;
  }
}

interface Listed {
  table: Table;
  names: Map<string, number>;
  pictures: Map<number, number>;
}

/**
 * Reads the list of entries.
 * @param size bytes of the file
 * @throws KaomonError ARCHIVE_INVALID
 */
export async function listEntries(descriptor: number, size: number): Promise<Listed> {
  let zip: ZipFile;
  try {
    const options = { lazyEntries: true, autoClose: false, validateEntrySizes: true, strictFileNames: true };
    zip = await fromRandomAccessReaderPromise(new ListReader(descriptor), size, options);
  } catch (cause) {
    refuseArchive('it is not a zip', cause);
  }
  if (zip.entryCount > MAX_ENTRIES) refuseArchive(`it has more than ${MAX_ENTRIES} entries`);
  if (zip.entryCount * (CENTRAL + LOCAL) > size) refuseArchive('it lists more entries than it has room for');
  const table = new Table();
  const names = new Map<string, number>();
  const pictures = new Map<number, number>();
  let listed = END;
  let unpacked = 0;
  try {
    for await (const entry of zip.eachEntry()) {
      const { fileName, uncompressedSize, fileNameLength, extraFieldLength, fileCommentLength } = entry;
      checkEntry(entry, size);
      unpacked += uncompressedSize;
      if (unpacked > size * MOST_GROWTH + SMALL) refuseArchive('it unpacks to far more than it is');
      const row = /^pictures\/(0|[1-9]\d{0,14})\.png$/.exec(fileName)?.at(1);
      if (row === undefined ? names.has(fileName) : pictures.has(Number(row)))
        refuseArchive(`it holds ${fileName} twice`);
      const number = table.add(row === undefined ? fileName : Number(row), entry);
      if (row === undefined) names.set(fileName, number);
      else pictures.set(Number(row), number);
      listed += CENTRAL + fileNameLength + extraFieldLength + fileCommentLength;
    }
  } catch (error) {
    if (error instanceof KaomonError) throw error;
    refuseArchive('its list of entries is damaged', error);
  }
  if (!table.setLimits(size - listed)) refuseArchive('two of its entries lie in the same place');
  return { table, names, pictures };
}

function checkEntry(entry: Entry, size: number): void {
  const { fileName, fileNameLength, compressionMethod, compressedSize, relativeOffsetOfLocalHeader } = entry;
  const shown = `"${fileName.slice(0, 100)}"`;
  if (fileNameLength > NAME_BYTES) refuseArchive(`it holds ${shown}, which no export does`);
  if ((entry.generalPurposeBitFlag & ENCRYPTED) !== 0) refuseArchive(`${shown} is encrypted`);
  if (compressionMethod !== STORED && compressionMethod !== DEFLATED)
    refuseArchive(`${shown} is compressed in a way that is not read here`);
  const type = entry.externalFileAttributes >>> TYPE_SHIFT;
  if (entry.versionMadeBy >> 8 === UNIX && type !== 0 && type !== REGULAR)
    refuseArchive(`${shown} is not a file`);
  if (relativeOffsetOfLocalHeader + LOCAL + compressedSize > size)
    refuseArchive(`${shown} is said to lie beyond the archive's end`);
}
