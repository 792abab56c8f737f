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
import { suitsWholeNumbers, WEIGHT_BITS } from '../onnx/quantise.js';
import type { Precision, ReadyEmbedder } from '../types.js';

/** Folder, below the models folder, of other forms of networks. */
const VARIANTS = 'variants';
const MANIFEST = 'manifest.json';
const NETWORK = 'embedder.onnx';

const LikenessSchema = Type.Object({
  /** How many it was measured on. */
  faces: Type.Integer({ minimum: 1 }),
  /** Cosine between its embedding of a face and the float32 network's. */
  least: Type.Number({ minimum: -1, maximum: 1.001 }),
  mean: Type.Number({ minimum: -1, maximum: 1.001 }),
});
const ManifestSchema = Type.Object({
  format: Type.Literal('kaomon-variant'),
  precision: Type.String(),
  builder: Type.Integer(),
  /** Of an int8 variant: those of 8 bits, which were made once, are wrong on processors without VNNI. */
  weightBits: Type.Optional(Type.Integer()),
  /** The float32 network that it is another form of. */
  of: Type.Object({ bytes: Type.Integer(), modified: Type.Number(), sha256: Type.String() }),
  made: Type.String(),
  likeness: Type.Optional(LikenessSchema),
});

/** How alike a variant's embeddings and the float32 network's are. */
export type Likeness = Static<typeof LikenessSchema>;

const folderOf = ({ name }: Pick<ReadyEmbedder, 'name'>, precision: Precision, modelsDir: string) =>
  path.join(modelsDir, VARIANTS, `${name}-${precision}`);

/**
 * An embedder in the precision that the setting asks for. A missing float16 form is made here; int8 needs faces to
 * measure on, so a command makes it.
 * @param embedder in float32
 * @throws KaomonError SETUP when there is no such form and it cannot be made
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
      `The embedder ${embedder.name} has no int8 form, or one of another network or of an earlier version: make it by npm run models -- --int8 PICTURES, or set EMBEDDER_PRECISION=float32.`,
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
 * @throws KaomonError SETUP for a network that we did not build
 */
export async function readNetwork({ name, network }: ReadyEmbedder): Promise<GraphMessage> {
  const graph = decodeModel(await readFile(network));
  if (graph) return graph;
  throw new KaomonError(
    'SETUP',
    `The embedder ${name} is a network that was not built here: convert it by the tools that made it, and use EMBEDDER_PRECISION=float32.`,
  );
}

/** @throws KaomonError SETUP for a network that int8 makes no faster and less exact */
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
    format: 'kaomon-variant',
    precision,
    builder: BUILDER_VERSION,
    ...(precision === 'int8' && { weightBits: WEIGHT_BITS }),
    made: new Date().toISOString(),
    of: { bytes: 0, modified: 0, ...found, sha256: await sha256OfFile(embedder.network) },
    likeness,
  };
  await rm(made, { recursive: true, force: true });
  await makeFolder(made);
  await writeDurably(path.join(made, NETWORK), encodeModel(graph), READABLE);
  await writeDurably(path.join(made, MANIFEST), JSON.stringify(manifest, null, 2), READABLE);
  await rm(folder, { recursive: true, force: true });
  await renameDurably(made, folder);
  return { ...embedder, precision, network: path.join(folder, NETWORK) };
}

/** An existing form of an embedder, for a list. */
export interface Form {
  readonly precision: Precision;
  /** Present where it was measured. */
  readonly likeness?: Likeness;
}

/** @returns the forms of an embedder that were made, even of a network that has been replaced since */
export async function listForms(name: string, modelsDir: string): Promise<Form[]> {
  const forms: Form[] = [];
  for (const precision of ['int8', 'float16'] as const) {
    const manifest = await readManifest(folderOf({ name }, precision, modelsDir));
    if (manifest) forms.push({ precision, likeness: manifest.likeness });
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
  if (!Value.Check(ManifestSchema, manifest)) return undefined;
  const isRight = manifest.precision !== 'int8' || manifest.weightBits === WEIGHT_BITS;
  return isRight && manifest.builder >= OLDEST_USABLE_BUILDER ? manifest : undefined;
}

/** Whether the existing form was made from this very network. */
async function isCurrent(folder: string, { network }: ReadyEmbedder): Promise<boolean> {
  const manifest = await readManifest(folder);
  if (!manifest) return false;
  if ((await statFile(path.join(folder, NETWORK))) === undefined) return false;
  const found = await statFile(network);
  if (found?.bytes !== manifest.of.bytes) return false;
  // A copied folder has new times: then the content decides.
  return found.modified === manifest.of.modified || (await sha256OfFile(network)) === manifest.of.sha256;
}
