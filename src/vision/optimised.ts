import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { cpus } from 'node:os';
import path from 'node:path';
import { env } from 'onnxruntime-node';

/** Smaller networks load at once and weigh nothing. */
const WORTH_IT = 1_000_000;
const GRAPH = 'network.onnx';
const WEIGHTS = 'network.bin';

/** Makes a session that writes the network as it optimised it. */
export type SaveOptimised = (
  file: string,
  options: { graph: string; session: Record<string, string> },
) => Promise<void>;

/**
 * The network as ONNX Runtime optimises it for this machine's processor, in a folder of the cache: the graph, and
 * beside it the weights as they are used, so that each session maps the same pages of the disk's cache instead of
 * holding a copy of its own, and loads several times faster (docs/performance.md).
 * @param save called when it is not there yet
 * @returns the graph's file; undefined when it is not worth it
 */
export async function optimisedNetwork(
  file: string,
  cacheDir: string,
  save: SaveOptimised,
): Promise<string | undefined> {
  const { size, mtimeMs } = await stat(file);
  if (size < WORTH_IT) return undefined;
  const folder = path.join(cacheDir, 'networks');
  const source = digest(path.resolve(file));
  // What one processor is given another may not be able to run.
  const machine = cpus().at(0)?.model ?? '';
  const name = `${source}-${digest(`${size} ${mtimeMs} ${env.versions.node ?? ''} ${process.arch} ${machine}`)}`;
  const ready = path.join(folder, name);
  const graph = path.join(ready, GRAPH);
  if (await isFile(graph)) return graph;

  // Other threads and processes may be at the same: each writes its own, and the first to be done wins.
  const mine = path.join(folder, `.${name}.${randomUUID()}`);
  try {
    await mkdir(mine, { recursive: true });
    await save(file, {
      graph: path.join(mine, GRAPH),
      session: {
        optimized_model_external_initializers_file_name: WEIGHTS,
        optimized_model_external_initializers_min_size_in_bytes: '1024',
      },
    });
    // Weights that a crash left half on disk would answer wrong embeddings without a word.
    await Promise.all([flush(path.join(mine, GRAPH)), flush(path.join(mine, WEIGHTS))]);
    for (const other of await readdir(folder)) {
      if (other.startsWith(`${source}-`) && other !== name)
        await rm(path.join(folder, other), { recursive: true });
    }
    await rename(mine, ready).catch(async (error: unknown) => {
      if (!(await isFile(graph))) throw error;
    });
    return graph;
  } finally {
    await rm(mine, { recursive: true, force: true });
  }
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
