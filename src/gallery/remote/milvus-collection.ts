/** The collection of a pack: made where it is missing, checked where it is there, and never dropped. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { KaomonError } from '../../platform/errors.js';
import { quietMessage } from '../../platform/quiet-error.js';
import { type Collection, type MilvusConfig, type MilvusSdk, succeeded } from './milvus-client.js';

/** Kinds of index that Milvus has, as the settings name them. */
export type IndexKind = Exclude<MilvusConfig['MILVUS_INDEX'], 'auto'>;

/** A collection that is loaded and can be searched. */
export interface OpenCollection {
  name: string;
  kind: IndexKind;
  /** What each search gives along: how many lists, how far. */
  search: Record<string, number>;
  /** Its distances are rounded. */
  rounds: boolean;
}

/** A faceid has 129 characters at most, the rest of a face's ID 84. */
const LONGEST_ID = 256;
const LONGEST_PERSON = 160;
const LONGEST_GROUP = 64;
/** Groups share so many partitions; a search in one group reads one of them. */
const PARTITIONS = 16;
/** The most lists that Milvus makes. */
const MOST_LISTS = 65_536;
const LEAST_PROBES = 16;
/** Lists that are looked into at most: with more lists each holds less, and a search reads no more of the memory. */
const MOST_PROBES = 256;
const HNSW = { M: 16, efConstruction: 200, ef: 128 };
/** Up to so many faces every search reads all of them, in a few milliseconds. */
const FLAT_UP_TO = 20_000;
/** Beyond, a quarter of the memory matters more than the last thousandth of the recall. */
const FLOATS_UP_TO = 10_000_000;
/** Of Milvus's levels: everything is seen. */
export const STRONG = 0;
/** How often the loading of a collection is looked at, milliseconds. */
const LOOK = 200;

/**
 * The name of a pack's collection: it says which pack, which is how faces are cut and which network embeds them, and how
 * many numbers a vector has. Characters that Milvus does not take become `_`, so a hash keeps names apart.
 */
export function collectionName(prefix: string, pack: string, length: number): string {
  const hash = createHash('sha256').update(`${prefix} ${pack}`).digest('hex').slice(0, 8);
  return `${prefix}_${pack}_${length}_${hash}`.replace(/\W/g, '_').replace(/^(?=\d)/, '_');
}

export interface CollectionOptions {
  config: MilvusConfig;
  pack: string;
  /** Numbers in a vector. */
  length: number;
  /** How many vectors it must hold by what Redis says. Left out: it may be empty, to be filled. */
  expected?: (() => Promise<number>) | undefined;
  note?: ((message: string) => void) | undefined;
}

/** @throws KaomonError SETUP when it is another one than expected, has lost its vectors, or cannot be made */
export async function openCollection(sdk: MilvusSdk, options: CollectionOptions): Promise<OpenCollection> {
  const { config, pack, length, note = () => undefined } = options;
  const name = collectionName(config.REDIS_PREFIX, pack, length);
  const of = { collection_name: name };
  try {
    if (!succeeded(await sdk.hasCollection(of)).value) {
      // Before it is made: an empty one makes the workers that run well again, and everybody unknown to them.
      await requireVectors(options, name, 0);
      note(`Making the collection ${name} in Milvus.`);
      await makeCollection(sdk, options, name);
    }
    checkFields(name, length, succeeded(await sdk.describeCollection(of)));
    const kind = await requireIndex(sdk, options, name);
    const isLoadedNow = await load(sdk, config, name, note);
    try {
      await requireHeld(sdk, options, name);
    } catch (error) {
      if (isLoadedNow) await sdk.releaseCollection(of).catch(() => undefined);
      throw error;
    }
    return {
      ...{ name, kind },
      search: searchOf(kind, config),
      rounds: kind === 'ivf_sq8' || kind === 'gpu_cagra',
    };
  } catch (cause) {
    if (cause instanceof KaomonError) throw cause;
    throw new KaomonError(
      'SETUP',
      `The collection ${name} cannot be used in Milvus: ${quietMessage(cause)}`,
      {
        cause,
      },
    );
  }
}

/** Asks again what is asked when it is opened. @throws KaomonError SETUP when it has lost its vectors */
export async function requireHeld(
  sdk: MilvusSdk,
  options: Pick<CollectionOptions, 'expected'>,
  name: string,
): Promise<void> {
  if (options.expected) await requireVectors(options, name, await countIn(sdk, name));
}

/** Also what was written a moment ago. */
export async function countIn(sdk: MilvusSdk, name: string): Promise<number> {
  const asked = { filter: '', output_fields: ['count(*)'], consistency_level: STRONG };
  const { data } = succeeded(await sdk.query({ collection_name: name, ...asked }));
  return Number(data[0]?.['count(*)'] ?? 0);
}

/**
 * A lost Milvus must not make everybody unknown. Half of them: a restore that is under way is not enough either.
 * @param held how many it has, counted before Redis is asked: whoever is deleted meanwhile is missed by neither
 * @throws KaomonError SETUP
 */
async function requireVectors(
  { expected }: Pick<CollectionOptions, 'expected'>,
  name: string,
  held: number,
): Promise<void> {
  const faces = (await expected?.()) ?? 0;
  if (held >= faces / 2) return;
  throw new KaomonError(
    'SETUP',
    `Redis has ${faces} faces whose vectors should be in Milvus, and the collection ${name} holds ${held}: Milvus was lost, or MILVUS_URL names another database. Put MILVUS_URL right, or restore Milvus's own backup, or bring the vectors back from a copy: kaomon gallery copy --from file --to milvus (docs/scale.md).`,
  );
}

async function makeCollection(
  sdk: MilvusSdk,
  { config, pack, length }: CollectionOptions,
  name: string,
): Promise<void> {
  const text = (field: string, most: number) => {
    return { name: field, data_type: 'VarChar', max_length: most };
  };
  succeeded(
    await sdk.createCollection({
      collection_name: name,
      description: `Kaomon: the faces of the pack ${pack}`,
      consistency_level: 'Bounded',
      num_partitions: PARTITIONS,
      enable_dynamic_field: false,
      fields: [
        { ...text('id', LONGEST_ID), is_primary_key: true, autoID: false },
        text('person', LONGEST_PERSON),
        { ...text('group', LONGEST_GROUP), is_partition_key: true },
        { name: 'vector', data_type: 'FloatVector', dim: length },
      ],
    }),
  );
  const kind = config.MILVUS_INDEX === 'auto' ? kindFor(config.MILVUS_FACES) : config.MILVUS_INDEX;
  succeeded(
    await sdk.createIndex({
      ...{ collection_name: name, field_name: 'vector', index_name: 'vector', metric_type: 'L2' },
      index_type: kind.toUpperCase(),
      params: buildOf(kind, config),
    }),
  );
}

/** The kind of index for so many faces. */
export const kindFor = (faces: number): IndexKind =>
  faces <= FLAT_UP_TO ? 'flat' : faces <= FLOATS_UP_TO ? 'ivf_flat' : 'ivf_sq8';

function listsOf({ MILVUS_LISTS: lists, MILVUS_FACES: faces }: MilvusConfig): number {
  const root = 2 ** Math.round(Math.log2(4 * Math.sqrt(faces)));
  return lists || Math.min(MOST_LISTS, Math.max(LEAST_PROBES, root));
}

function buildOf(kind: IndexKind, config: MilvusConfig): Record<string, number> {
  if (kind === 'hnsw') return { M: HNSW.M, efConstruction: HNSW.efConstruction };
  return kind.includes('ivf') ? { nlist: listsOf(config) } : {};
}

function searchOf(kind: IndexKind, config: MilvusConfig): Record<string, number> {
  const { MILVUS_PROBES: probes } = config;
  if (kind === 'hnsw') return { ef: probes || HNSW.ef };
  if (!kind.includes('ivf')) return {};
  const usual = Math.max(LEAST_PROBES, Math.ceil(listsOf(config) / 16));
  return { nprobe: probes || Math.min(MOST_PROBES, usual) };
}

/** @throws KaomonError SETUP */
function checkFields(name: string, length: number, { schema }: Collection): void {
  const field = (wanted: string) => schema.fields.find((one) => one.name === wanted);
  const dimension = field('vector')?.type_params.find(({ key }) => key === 'dim')?.value;
  const differs =
    (field('id')?.data_type !== 'VarChar' && 'the field "id" is not a text') ||
    (!field('id')?.is_primary_key && 'the field "id" is not its primary key') ||
    (field('person')?.data_type !== 'VarChar' && 'the field "person" is not a text') ||
    (!field('group')?.is_partition_key && 'the field "group" is not its partition key') ||
    (field('vector')?.data_type !== 'FloatVector' && 'the field "vector" is not a vector of floats') ||
    (Number(dimension) !== length && `its vectors have ${dimension} numbers, not ${length}`);
  if (differs) refuse(name, differs);
}

function refuse(name: string, differs: string): never {
  throw new KaomonError(
    'SETUP',
    `The collection ${name} in Milvus is not as Kaomon makes it: ${differs}. It is left as it is: choose another REDIS_PREFIX, or another database in MILVUS_URL, or rename the collection.`,
  );
}

/** @throws KaomonError SETUP */
async function requireIndex(sdk: MilvusSdk, { config }: CollectionOptions, name: string): Promise<IndexKind> {
  const { index_descriptions: found } = succeeded(await sdk.describeIndex({ collection_name: name }));
  const param = (wanted: string) =>
    found.find((one) => one.field_name === 'vector')?.params.find(({ key }) => key === wanted)?.value;
  const kind = param('index_type')?.toLowerCase();
  if (kind === undefined) refuse(name, 'its vectors have no index');
  if (param('metric_type') !== 'L2') refuse(name, `it measures by ${param('metric_type')}, not by L2`);
  const wanted = config.MILVUS_INDEX;
  if (wanted !== 'auto' && wanted !== kind)
    throw new KaomonError(
      'SETUP',
      `The collection ${name} in Milvus has an index of the kind ${kind}, and MILVUS_INDEX=${wanted}: leave MILVUS_INDEX unset, or give the collection another index (release, drop the index, create it, load).`,
    );
  return kind as IndexKind;
}

/** Loads it into the memory of the query nodes, which may take minutes. @returns false: it was there */
async function load(
  sdk: MilvusSdk,
  config: MilvusConfig,
  name: string,
  note: (message: string) => void,
): Promise<boolean> {
  const of = { collection_name: name };
  const stateOf = async () => succeeded(await sdk.getLoadState(of)).state;
  if (isLoaded(await stateOf())) return false;
  succeeded(await sdk.loadCollection({ ...of, replica_number: config.MILVUS_REPLICAS }));
  const started = Date.now();
  for (let told = 0; !isLoaded(await stateOf());) {
    await sleep(LOOK);
    const minutes = Math.floor((Date.now() - started) / 60_000);
    if (minutes > told) note(`Milvus is still loading ${name} into memory.`);
    told = minutes;
  }
  return true;
}

/** `LoadStateLoaded`. */
const isLoaded = (state: string): boolean => state.endsWith('StateLoaded');
