import { fstat, read } from 'node:fs';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import {
  type Entry,
  fromRandomAccessReaderPromise,
  openPromise,
  type Options,
  RandomAccessReader,
  type ZipFile,
} from 'yauzl';
import { KaomonError } from '../../platform/errors.js';
import { type EntryKind, kindOf, refuseArchive } from './manifest.js';

/**
 * An archive that unpacks to more than so many times its size, plus a little, is a zip bomb: vectors and pictures are not
 * compressed, and the rest does not shrink to a hundredth.
 */
const MOST_GROWTH = 100;
const SMALL = 1_000_000;
/** The most bytes of a manifest for each entry, and besides. */
const MANIFEST_LINE = 600;
const MANIFEST_HEAD = 10_000;
/** The most entries of an archive: some 500,000 people with a picture each. */
const MAX_ENTRIES = 2_000_000;
/** The most bytes of an unpacked entry: larger ones are refused by their header, and stopped where it lies. */
const MAX_BYTES = {
  manifest: 400_000_000,
  groups: 10_000_000,
  person: 200_000,
  vector: 300_000,
  picture: 2_000_000,
};

const readFrom = promisify(read);
/** Bytes read at a time. */
const PIECE = 1 << 16;

/** A zip whose entries' names and sizes were checked. */
export interface OpenArchive {
  /** In the archive's order. */
  readonly entries: ReadonlyMap<string, EntryKind>;
  /** @throws KaomonError ARCHIVE_INVALID */
  read(entry: string): Promise<Buffer>;
  close(): void;
}

/**
 * Opens a zip and refuses it unless every entry has a name and a size as in an export. Entries' names are never used as
 * paths.
 * @param file its path, or a descriptor, which the caller closes
 * @throws KaomonError ARCHIVE_INVALID
 */
export async function openArchive(file: string | number): Promise<OpenArchive> {
  let zip: ZipFile;
  try {
    const options = { lazyEntries: true, autoClose: false, validateEntrySizes: true, strictFileNames: true };
    zip = await (typeof file === 'string' ? openPromise(file, options) : openDescriptor(file, options));
  } catch (cause) {
    refuseArchive('it is not a zip', cause);
  }
  try {
    const places = await listEntries(zip);
    const kinds = new Map<string, EntryKind>();
    for (const [name, { kind }] of places) kinds.set(name, kind);
    return {
      entries: kinds,
      async read(name) {
        const place = places.get(name);
        if (!place) refuseArchive(`${name} is missing`);
        return readEntry(zip, place.entry, mostBytes(place.kind, zip));
      },
      close: () => zip.close(),
    };
  } catch (error) {
    zip.close();
    throw error;
  }
}

/** Reads from a descriptor without closing it; yauzl's own reader closes it, but not always when it fails. */
async function openDescriptor(descriptor: number, options: Options): Promise<ZipFile> {
  const { size } = await promisify(fstat)(descriptor);
  return await fromRandomAccessReaderPromise(new DescriptorReader(descriptor), size, options);
}

/** Instead of Node's own stream, which would close the descriptor when it is destroyed. */
async function* readRange(descriptor: number, start: number, end: number): AsyncGenerator<Buffer> {
  for (let at = start; at < end;) {
    const buffer = Buffer.allocUnsafe(Math.min(PIECE, end - at));
    const { bytesRead } = await readFrom(descriptor, buffer, 0, buffer.length, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

class DescriptorReader extends RandomAccessReader {
  constructor(private readonly descriptor: number) {
    super();
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from(readRange(this.descriptor, start, end), { objectMode: false });
  }
}

/** The most bytes of an entry; the manifest's limit depends on the number of entries. */
function mostBytes({ kind }: EntryKind, { entryCount }: ZipFile): number {
  const most = MAX_BYTES[kind];
  return kind === 'manifest' ? Math.min(most, MANIFEST_HEAD + entryCount * MANIFEST_LINE) : most;
}

async function listEntries(zip: ZipFile): Promise<Map<string, { entry: Entry; kind: EntryKind }>> {
  if (zip.entryCount > MAX_ENTRIES) refuseArchive(`it has more than ${MAX_ENTRIES} entries`);
  const places = new Map<string, { entry: Entry; kind: EntryKind }>();
  let unpacked = 0;
  try {
    for await (const entry of zip.eachEntry()) {
      const { fileName, uncompressedSize } = entry;
      const kind = kindOf(fileName);
      if (!kind) refuseArchive(`it holds "${fileName.slice(0, 100)}", which no export does`);
      if (places.has(fileName)) refuseArchive(`it holds ${fileName} twice`);
      if (uncompressedSize > mostBytes(kind, zip)) refuseArchive(`${fileName} is too large`);
      unpacked += uncompressedSize;
      if (unpacked > zip.fileSize * MOST_GROWTH + SMALL) refuseArchive('it unpacks to far more than it is');
      places.set(fileName, { entry, kind });
    }
  } catch (error) {
    if (error instanceof KaomonError) throw error;
    refuseArchive('its list of entries is damaged', error);
  }
  return places;
}

async function readEntry(zip: ZipFile, entry: Entry, maxBytes: number): Promise<Buffer> {
  try {
    const stream = await zip.openReadStreamPromise(entry, {});
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > maxBytes) refuseArchive(`${entry.fileName} is too large`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    if (error instanceof KaomonError) throw error;
    refuseArchive(`${entry.fileName} is damaged`, error);
  }
}
