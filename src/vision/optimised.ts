import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import { cpus } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { env } from 'onnxruntime-node';
import { makeFolder } from '../platform/files/durable.js';

const run = promisify(execFile);

/** Smaller networks are not worth it, bytes. */
const WORTH_IT = 1_000_000;
const NETWORK = 'network.ort';

const PROGRAM = fileURLToPath(new URL('./optimise.js', import.meta.url));

/**
 * The network, optimised for this machine's processor, in the cache. Its weights are laid out as they are used, so that
 * sessions read the file's bytes instead of copies, and starting needs no further work (docs/performance.md).
 * @returns the file; undefined for a small network
 * @throws Error when it cannot be optimised or written
 */
export async function optimisedNetwork(file: string, cacheDir: string): Promise<string | undefined> {
  const { size, mtimeMs } = await stat(file);
  if (size < WORTH_IT) return undefined;
  const folder = path.join(cacheDir, 'networks');
  const source = digest(path.resolve(file));
  // A network optimised for one processor may not run on another.
  const machine = cpus().at(0)?.model ?? '';
  const state = `${NETWORK} ${size} ${mtimeMs} ${env.versions.node ?? ''} ${process.arch} ${machine}`;
  const name = `${source}-${digest(state)}`;
  const ready = path.join(folder, name);
  const network = path.join(ready, NETWORK);
  if (await isFile(network)) return network;

  // Other threads and processes may do the same: each writes its own file, and the first to finish wins.
  const mine = path.join(folder, `.${name}.${randomUUID()}`);
  try {
    await makeFolder(mine);
    const saved = path.join(mine, NETWORK);
    await run(process.execPath, [PROGRAM, file, saved]);
    // Weights that a crash left half written would silently give wrong embeddings.
    await flush(saved);
    for (const other of await readdir(folder)) {
      if (other.startsWith(`${source}-`) && other !== name)
        await rm(path.join(folder, other), { recursive: true });
    }
    await rename(mine, ready).catch(async (error: unknown) => {
      if (!(await isFile(network))) throw error;
    });
    return network;
  } finally {
    await rm(mine, { recursive: true, force: true });
  }
}

/** Removes an optimised network that cannot be used, so that the next start makes a new one. */
export async function forgetOptimised(network: string): Promise<void> {
  await rm(path.dirname(network), { recursive: true, force: true });
}

const digest = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16);

async function isFile(file: string): Promise<boolean> {
  return await stat(file).then(
    (found) => found.isFile(),
    () => false,
  );
}

async function flush(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  await handle.sync();
  await handle.close();
}
