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
  /** The file that it is of. `modified`: milliseconds; a file of the same size and time is taken to be the same. */
  readonly network: { readonly bytes: number; readonly modified: number; readonly sha256: string };
}

const fileOf = (network: string) => `${network}.fingerprint.json`;

/**
 * What a network should answer. Of a network that we built out of weights known to us, what the project's own machines
 * answered, which were held to the reference implementations: no fault of this machine can confirm itself. Of any other
 * (a user's own, weights that could not be had where this was written), what the CPU answered when it was first used
 * here, or where the models folder was carried over from.
 * @param network path of the `.onnx` file
 * @param input names what it is shown
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
 * @param make not called when another has been quicker
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
      ...{ format: 'kaomon-fingerprint', network: { ...found, sha256: await sha256OfFile(network) } },
      ...made,
    };
    await writeDurably(file, `${JSON.stringify(kept)}\n`, READABLE);
    return made;
  });
}

/** The SHA-256 that a network of ours had when it was built: what lies there now may be damaged. */
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
  // A copy of the folder has other times; then the content says it. Content that changed under the same time is what a
  // failing disk leaves, and is found out by what it answers.
  return found.modified === of.modified || (await sha256OfFile(network)) === of.sha256;
}

/** An object in a file; undefined where there is none that can be read. */
async function readJson(file: string): Promise<Record<string, unknown> | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
