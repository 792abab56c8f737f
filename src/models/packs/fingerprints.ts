import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeDurably } from '../../platform/files/durable.js';
import { underLock } from '../../platform/files/lock.js';
import { READABLE, sha256OfFile, statFile } from '../files.js';
import type { Fingerprint } from '../types.js';
import { PUBLISHED } from './fingerprints-published.js';

/** `<network>.fingerprint.json`, beside the network. */
interface Kept extends Fingerprint {
  readonly format: 'kaomon-fingerprint';
  /** The network's file. `modified`: milliseconds; a file of the same size and time is taken to be the same. */
  readonly network: { readonly bytes: number; readonly modified: number; readonly sha256: string };
}

const fileOf = (network: string) => `${network}.fingerprint.json`;

/**
 * What a network should output. Of a network that we built from weights known to us: its outputs on the project's own
 * machines, checked against the reference implementations, so that no fault of this machine can confirm itself. Of any
 * other (a user's own, or from weights that the project could not get): its outputs on the CPU when it was first used
 * here, or on the machine that the models folder was carried over from.
 * @param network path of the `.onnx` file
 * @param input names the picture that it is given
 * @returns undefined when nothing is known of this file and this input
 */
export async function knownFingerprint(network: string, input: string): Promise<Fingerprint | undefined> {
  const sha256 = await builtAs(network);
  const published = PUBLISHED.find(({ of }) => sha256 !== undefined && of.includes(sha256));
  if (published?.input === input) return published;
  const kept = await readKept(network);
  return kept?.input === input && (await isOf(kept, network)) ? kept : undefined;
}

/**
 * Keeps a fingerprint beside its network; of several threads and processes that find none, one makes it.
 * @param make not called when another was faster
 * @throws what `make` throws, and Error when the folder cannot be written
 */
export async function keepFingerprint(
  network: string,
  input: string,
  make: () => Promise<Fingerprint>,
): Promise<Fingerprint> {
  const file = fileOf(network);
  return await underLock(`${file}.lock`, async () => {
    const known = await knownFingerprint(network, input);
    if (known) return known;
    const made = await make();
    const found = (await statFile(network)) ?? { bytes: 0, modified: 0 };
    const kept: Kept = {
      format: 'kaomon-fingerprint',
      network: { ...found, sha256: await sha256OfFile(network) },
      ...made,
    };
    await writeDurably(file, `${JSON.stringify(kept)}\n`, READABLE);
    return made;
  });
}

/** The SHA-256 of one of our networks when it was built: the file may have been damaged since. */
async function builtAs(network: string): Promise<string | undefined> {
  const manifest = await readJson(path.join(path.dirname(network), 'manifest.json'));
  if (manifest?.format !== 'kaomon-component' || !Array.isArray(manifest.networks)) return undefined;
  const networks = manifest.networks as { file?: unknown; sha256?: unknown }[];
  const sha256 = networks.find(({ file }) => file === path.basename(network))?.sha256;
  return typeof sha256 === 'string' ? sha256 : undefined;
}

async function readKept(network: string): Promise<Kept | undefined> {
  const kept = (await readJson(fileOf(network))) as Partial<Kept> | undefined;
  const isWhole = kept?.format === 'kaomon-fingerprint' && kept.network && kept.outputs;
  return isWhole ? (kept as Kept) : undefined;
}

async function isOf({ network: of }: Kept, network: string): Promise<boolean> {
  const found = await statFile(network);
  if (found?.bytes !== of.bytes) return false;
  // A copied folder has new times: then the content decides. A failing disk changes content without its time, which the
  // network's outputs show.
  return found.modified === of.modified || (await sha256OfFile(network)) === of.sha256;
}

/** The object in a JSON file; undefined when it cannot be read. */
async function readJson(file: string): Promise<Record<string, unknown> | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
