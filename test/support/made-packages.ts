/** Packages with made weights, and clients that hand them out: for tests of how weights are fetched. */
import { createHash } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { ZipFile } from 'yazl';
import type { Component, WeightsPackage } from '../../src/models/component.js';
import { sha256Of } from '../../src/models/files.js';

/** An entry of a made archive. */
export interface MadeEntry {
  name: string;
  data?: Uint8Array;
  /** `0` a file, `2` a symbolic link, `5` a folder. */
  type?: string;
  link?: string;
}

/** A gzipped tar with these entries under exactly these names, whatever they are. */
export function makeTarball(entries: readonly MadeEntry[]): Buffer {
  const blocks = entries.flatMap(({ name, data = new Uint8Array(), type = '0', link = '' }) => {
    const header = Buffer.alloc(512);
    header.write(name, 0, 100);
    header.write('0000644\0', 100);
    header.write('0000000\0', 108);
    header.write('0000000\0', 116);
    header.write(`${data.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write('00000000000\0', 136);
    header.write(' '.repeat(8), 148);
    header.write(type, 156);
    header.write(link, 157, 100);
    header.write('ustar\x0000', 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return [header, data, Buffer.alloc((512 - (data.length % 512)) % 512)];
  });
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

/** A zip, as a wheel is one. */
export async function makeWheel(entries: Readonly<Record<string, Uint8Array>>): Promise<Buffer> {
  const zip = new ZipFile();
  for (const [name, data] of Object.entries(entries)) zip.addBuffer(Buffer.from(data), name);
  zip.end();
  const pieces: Buffer[] = [];
  for await (const piece of zip.outputStream) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

/** The weights of the made component. */
export const MADE_WEIGHTS = Buffer.from('the weights '.repeat(500));
const MADE_FILE = 'made.bin';
const INSIDE = `package/model/${MADE_FILE}`;

/** What the made package holds: the weights among other files. */
export const MADE_ENTRIES: readonly MadeEntry[] = [
  { name: 'package/package.json', data: Buffer.from('{"scripts":{"postinstall":"touch /tmp/never"}}') },
  { name: INSIDE, data: MADE_WEIGHTS },
  { name: 'package/other.bin', data: Buffer.alloc(3000, 7) },
];
export const MADE_TARBALL = makeTarball(MADE_ENTRIES);

/** The npm package of a tarball with the made weights' published integrity and size, or another's. */
export function madePackage(tarball: Buffer = MADE_TARBALL): WeightsPackage {
  return {
    ...{ registry: 'npm', name: 'made-package', version: '1.2.3', file: 'made-package-1.2.3.tgz' },
    bytes: tarball.length,
    integrity: `sha512-${createHash('sha512').update(tarball).digest('base64')}`,
    members: { [MADE_FILE]: INSIDE },
  };
}

export const MADE_WHEEL: WeightsPackage = {
  ...{ registry: 'pypi', name: 'made-wheel', version: '4.5', file: 'made_wheel-4.5-py3-none-any.whl' },
  bytes: 1000,
  members: { [MADE_FILE]: `made/${MADE_FILE}` },
};

/** A component that is built of the made weights by copying them. */
export function madeComponent(
  packages: readonly WeightsPackage[] = [madePackage()],
  url?: string,
): Component {
  const source = {
    kind: 'published',
    file: MADE_FILE,
    bytes: MADE_WEIGHTS.length,
    sha256: sha256Of(MADE_WEIGHTS),
  } as const;
  return {
    ...{ id: 'made', title: 'The made network', licence: 'MIT, made' },
    forms: [
      {
        sources: [{ ...source, ...(url !== undefined && { url }) }],
        packages,
        networks: [{ file: 'made.onnx', build: (find) => readFile(find(MADE_FILE)) }],
      },
    ],
  };
}

/** Lines of a shell script that stands for a client: `$dest` is the folder it shall leave its archive in. */
export interface MadeClients {
  npm?: string;
  pip3?: string;
}

/**
 * A folder with clients that do what the scripts say, to be first on PATH; each call is counted in `calls`.
 * @returns the environment for them, without any other client
 */
export async function makeClients(
  folder: string,
  clients: MadeClients,
): Promise<{ PATH: string; CALLS: string }> {
  const bin = path.join(folder, 'bin');
  const calls = path.join(folder, 'calls');
  await mkdir(bin, { recursive: true });
  await writeFile(calls, '');
  for (const [name, script] of Object.entries(clients) as [string, string][]) {
    const file = path.join(bin, name);
    const find =
      'for word; do case "$last" in --pack-destination|--dest) dest=$word;; esac; last=$word; done';
    await writeFile(
      file,
      `#!/bin/sh\nPATH=/usr/bin:/bin\necho "${name} $*" >> "$CALLS"\n${find}\n${script}\n`,
    );
    await chmod(file, 0o755);
  }
  return { PATH: bin, CALLS: calls };
}
