/** What the commands share: the parts of the server, opened by the same settings, without the server. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { type Audit, COMMAND_LINE, createAudit } from '../../access/audit.js';
import { type Config, fetchSettings } from '../../settings/config.js';
import { KaomonError } from '../../platform/errors.js';
import type { FillableStore } from '../../gallery/announce.js';
import { enrolledPacks } from '../../gallery/enrolled.js';
import { splitFaceId } from '../../gallery/ids.js';
import { openFillableStore, openGallery as openSharedGallery } from '../../gallery/open.js';
import { createExactIndex } from '../../gallery/index/exact-index.js';
import type { Gallery } from '../../gallery/types.js';
import { quietMessage, quietText } from '../../platform/quiet-error.js';
import { preparePack, type Progress } from '../../models/packs/prepare.js';
import type { ReadyPack } from '../../models/types.js';
import { READABLE_NAME } from '../../vision/picture-names.js';
import { createVisionPool } from '../../vision/pool.js';
import type { VisionPool } from '../../vision/types.js';

/** A line of progress or warning; results go to standard output. */
export const note = (message: string): void => void process.stderr.write(`  ${message}\n`);

/**
 * The pack of a name, built where need be; `auto` is what it is for the server: the pack that people are enrolled with.
 * @param fetches fetches what is missing, as a start of the server does; left out, nothing is fetched
 * @throws KaomonError SETUP
 */
export async function openPack(
  id: string,
  config: Config,
  { fetches = false, tell = ({ message }) => note(message) }: OpenPackOptions = {},
): Promise<ReadyPack> {
  const fetchers = fetches && (await import('../../models/weights/fetchers.js')).createFetchers;
  return await preparePack(id, {
    modelsDir: config.MODELS_DIR,
    precision: config.EMBEDDER_PRECISION,
    enrolledPacks: () => enrolledPacks(config),
    ...(fetchers && fetchers({ ...fetchSettings(config), hurry: true })),
    onProgress: tell,
  });
}

interface OpenPackOptions {
  fetches?: boolean;
  tell?: (progress: Progress) => void;
}

/** The caller closes it. @throws KaomonError NO_MODEL, SETUP */
export function openVision(pack: ReadyPack, config: Config): Promise<VisionPool> {
  return createVisionPool({
    pack,
    providers: config.EXECUTION_PROVIDERS.split(','),
    gpuDevice: config.GPU_DEVICE_ID,
    threads: 1,
    maxPixels: config.MAX_PIXELS,
    minFaceSize: config.MIN_FACE_SIZE,
    poolThreads: config.VISION_THREADS,
    queueLength: config.VISION_QUEUE,
  });
}

/**
 * A gallery to write into; the caller closes it. Running workers learn of what is written by the log of events. A
 * command searches too little to want more than the exact index.
 */
export async function openGallery(pack: ReadyPack, config: Config): Promise<Gallery> {
  const index = createExactIndex(pack.embedder.length);
  return (await openSharedGallery(config, { pack, index, warn: note, follow: false })).gallery;
}

/** Files with a picture's name in a folder and those below it, in order. @throws KaomonError SETUP */
export async function picturesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
    throw new KaomonError('SETUP', `The folder ${folder} cannot be read.`, { cause });
  });
  return entries
    .filter((entry) => entry.isFile() && READABLE_NAME.test(entry.name))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
}

/** The server's own audit: who looks for how somebody came into the gallery looks there. */
export function openAudit({ AUDIT_FILE: file }: Pick<Config, 'AUDIT_FILE'>): Audit {
  let told = false;
  const error = () => {
    if (!told) note(`The audit file ${file} cannot be written.`);
    told = true;
  };
  return createAudit({ file, log: { info: () => undefined, error } });
}

/** A store to fill whose additions stand in the audit, as every other enrolment does; see `openFillableStore`. */
export async function openAuditedStore(
  config: Config,
  options: Parameters<typeof openFillableStore>[1],
): Promise<FillableStore> {
  const store = await openFillableStore(config, options);
  const audit = openAudit(config);
  const tell = (whom: Record<string, unknown>) =>
    void audit.record({ ...COMMAND_LINE, action: 'enrol', whom, outcome: 'done' });
  return {
    ...store,
    async addFace(face, vector, extras) {
      await store.addFace(face, vector, extras);
      tell({ ...splitFaceId(face.faceid), id: face.id });
    },
    async keepPerson(faceid, profile) {
      const isNew = await store.keepPerson(faceid, profile);
      if (isNew) tell({ ...splitFaceId(faceid) });
      return isNew;
    },
    async createGroup(group) {
      const isNew = await store.createGroup(group);
      if (isNew) tell({ groupid: group.groupid });
      return isNew;
    },
    async close() {
      await store.close();
      await audit.flush();
    },
  };
}

/** What somebody with a running server must know who added to the gallery of a pack beside it. */
export function describeReach(pack: string, { EVENT_LOG }: Config): string {
  return EVENT_LOG === 'none'
    ? 'With EVENT_LOG=none nobody is told: a running server must be restarted to see them.'
    : `A running server with the pack ${pack} sees them already; one with another pack does not use them: start it anew with MODEL_PACK=${pack}.`;
}

/**
 * Runs a command and turns what a person can mend into one line.
 * @param tellsCause adds what lay behind it, where the sentence alone does not say
 * @returns its exit status
 */
export async function runCommand(
  work: () => Promise<number>,
  { tellsCause = false }: { tellsCause?: boolean } = {},
): Promise<number> {
  try {
    return await work();
  } catch (error) {
    // parseArgs throws a TypeError with a code for an option that is not known.
    if (error instanceof KaomonError || (error instanceof TypeError && 'code' in error)) {
      const cause = tellsCause && error.cause instanceof Error ? ` (${quietMessage(error.cause)})` : '';
      console.error(`kaomon: ${error.message}${cause}`);
      return 1;
    }
    // A full disk, a place where nothing can be made: what the system says names the file.
    if (error instanceof Error && 'syscall' in error && 'path' in error) {
      console.error(`kaomon: ${error.message}.`);
      return 1;
    }
    // Printed by Node it would have all that a library hung onto it.
    console.error(quietText(error));
    return 1;
  }
}

/** Works through a list, so many at a time, in order of the list. */
export async function inParallel<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
