import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import { makeFolder, renameDurably, writeDurably } from '../../platform/files/durable.js';
import { underLock } from '../../platform/files/lock.js';
import { KaomonError } from '../../platform/errors.js';
import { BUILDER_VERSION, OLDEST_USABLE_BUILDER } from '../component.js';
import { READABLE, sha256OfFile, statFile } from '../files.js';
import { toHalf } from '../onnx/half.js';
import { decodeModel, encodeModel, type GraphMessage } from '../onnx/schema.js';
import { suitsWholeNumbers } from '../onnx/quantise.js';
import type { Precision, ReadyEmbedder } from '../types.js';

/** Folder of other forms of networks below the models folder. */
const VARIANTS = 'variants';
const MANIFEST = 'manifest.json';
const NETWORK = 'embedder.onnx';

const LikenessSchema = Type.Object({
  /** Faces it was measured on. */
  faces: Type.Integer({ minimum: 1 }),
  /** Cosine of its embedding of a face to the float32 network's. */
  least: Type.Number({ minimum: -1, maximum: 1.001 }),
  mean: Type.Number({ minimum: -1, maximum: 1.001 }),
});
const ManifestSchema = Type.Object({
  format: Type.Literal('kaomon-variant'),
  precision: Type.String(),
  builder: Type.Integer(),
  /** The float32 network that it is another form of. */
  of: Type.Object({ bytes: Type.Integer(), modified: Type.Number(), sha256: Type.String() }),
  made: Type.String(),
  likeness: Type.Optional(LikenessSchema),
});

/** How like a variant's embeddings are to the float32 network's. */
export type Likeness = Static<typeof LikenessSchema>;

const folderOf = ({ name }: Pick<ReadyEmbedder, 'name'>, precision: Precision, modelsDir: string) =>
  path.join(modelsDir, VARIANTS, `${name}-${precision}`);

/**
 * An embedder in the numbers that the setting asks for. Half-width ones are made where they are missing; whole ones
 * want faces to measure on, and are made by a command.
 * @param embedder in float32
 * @throws KaomonError SETUP when there are none, or none can be made
 */
export async function embedderIn(
  precision: Precision,
  embedder: ReadyEmbedder,
  modelsDir: string,
): Promise<ReadyEmbedder> {
  if (precision === 'float32') return embedder;
  const folder = folderOf(embedder, precision, modelsDir);
  const variant = { ...embedder, precision, network: path.join(folder, NETWORK) };
  if (await isCurrent(folder, embedder)) return variant;
  if (precision === 'int8') {
    refuseUnsuited(embedder, await readNetwork(embedder));
    throw new KaomonError(
      'SETUP',
      `The embedder ${embedder.name} has no int8 form, or one of another network: make it by npm run models -- --int8 PICTURES, or set EMBEDDER_PRECISION=float32.`,
    );
  }
  await makeFolder(path.dirname(folder));
  await underLock(`${folder}.lock`, async () => {
    if (await isCurrent(folder, embedder)) return;
    const graph = await readNetwork(embedder);
    await writeVariant(precision, embedder, modelsDir, toHalf(graph));
  });
  return variant;
}

/**
 * The graph of an embedder, to make another form of it.
 * @throws KaomonError SETUP for a network that is not of our making
 */
export async function readNetwork({ name, network }: ReadyEmbedder): Promise<GraphMessage> {
  const graph = decodeModel(await readFile(network));
  if (graph) return graph;
  throw new KaomonError(
    'SETUP',
    `The embedder ${name} is a network that was not built here: convert it by the tools that made it, and use EMBEDDER_PRECISION=float32.`,
  );
}

/** @throws KaomonError SETUP for a network that int8 makes neither faster nor keeps alike */
export function refuseUnsuited({ name }: ReadyEmbedder, graph: GraphMessage): void {
  if (suitsWholeNumbers(graph)) return;
  throw new KaomonError(
    'SETUP',
    `The embedder ${name} has no int8 form: most of its convolutions take each channel by itself, which whole numbers make slower and less exact. Set EMBEDDER_PRECISION=float32, its fastest on a CPU.`,
  );
}

/**
 * Puts another form of an embedder into its place, whole or not at all.
 * @param embedder in float32
 * @returns the embedder in this form
 */
export async function writeVariant(
  precision: Precision,
  embedder: ReadyEmbedder,
  modelsDir: string,
  graph: GraphMessage,
  likeness?: Likeness,
): Promise<ReadyEmbedder> {
  const folder = folderOf(embedder, precision, modelsDir);
  const made = `${folder}.new`;
  const found = await statFile(embedder.network);
  const manifest: Static<typeof ManifestSchema> = {
    ...{ format: 'kaomon-variant', precision, builder: BUILDER_VERSION, made: new Date().toISOString() },
    of: { bytes: 0, modified: 0, ...found, sha256: await sha256OfFile(embedder.network) },
    ...(likeness && { likeness }),
  };
  await rm(made, { recursive: true, force: true });
  await makeFolder(made);
  await writeDurably(path.join(made, NETWORK), encodeModel(graph), READABLE);
  await writeDurably(path.join(made, MANIFEST), JSON.stringify(manifest, null, 2), READABLE);
  await rm(folder, { recursive: true, force: true });
  await renameDurably(made, folder);
  return { ...embedder, precision, network: path.join(folder, NETWORK) };
}

/** A form of an embedder that is there, for a list. */
export interface Form {
  readonly precision: Precision;
  /** Of one that was measured. */
  readonly likeness?: Likeness;
}

/** @returns the forms of an embedder that were made, whether or not its network is still the one they are of */
export async function listForms(name: string, modelsDir: string): Promise<Form[]> {
  const forms: Form[] = [];
  for (const precision of ['int8', 'float16'] as const) {
    const manifest = await readManifest(folderOf({ name }, precision, modelsDir));
    if (manifest) forms.push({ precision, ...(manifest.likeness && { likeness: manifest.likeness }) });
  }
  return forms;
}

async function readManifest(folder: string): Promise<Static<typeof ManifestSchema> | undefined> {
  const text = await readFile(path.join(folder, MANIFEST), 'utf8').catch(() => '{}');
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch {
    return undefined;
  }
  // Which network it is of, its checksum says.
  if (!Value.Check(ManifestSchema, manifest)) return undefined;
  return manifest.builder >= OLDEST_USABLE_BUILDER ? manifest : undefined;
}

/** Whether the form that is there is of this very network. */
async function isCurrent(folder: string, { network }: ReadyEmbedder): Promise<boolean> {
  const manifest = await readManifest(folder);
  if (!manifest) return false;
  if ((await statFile(path.join(folder, NETWORK))) === undefined) return false;
  const found = await statFile(network);
  if (found?.bytes !== manifest.of.bytes) return false;
  // A copy of the folder has other times; then the content says it.
  return found.modified === manifest.of.modified || (await sha256OfFile(network)) === manifest.of.sha256;
}
