/** What several commands need: parts of the server, opened with the same settings, but without the server. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { type Audit, COMMAND_LINE, createAudit } from '../../access/audit.js';
import { type Config, fetchSettings } from '../../settings/config.js';
import { KaomonError } from '../../platform/errors.js';
import type { FillableStore } from '../../gallery/announce.js';
import { enrolledPacks } from '../../gallery/enrolled.js';
import { splitFaceId } from '../../gallery/ids.js';
import { openFillableStore } from '../../gallery/open.js';
import { quietMessage, quietText } from '../../platform/quiet-error.js';
import { preparePack, type Progress } from '../../models/packs/prepare.js';
import type { ReadyPack } from '../../models/types.js';
import { READABLE_NAME } from '../../vision/picture-names.js';
import { createVisionPool, type PoolSettings } from '../../vision/pool.js';
import type { VisionPool } from '../../vision/types.js';

/** Prints a line of progress, or a warning, to standard error; results go to standard output. */
export const note = (message: string): void => void process.stderr.write(`  ${message}\n`);

/**
 * Opens a pack by its ID, and builds it where necessary; `auto` is, as for the server, the pack that people are enrolled
 * with.
 * @param fetches whether to fetch what is missing, as the server does when it starts
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

/**
 * The caller closes it.
 * @param size how many threads and waiting pictures, where the command needs others than the server has
 * @throws KaomonError NO_MODEL, SETUP
 */
export function openVision(
  pack: ReadyPack,
  config: Config,
  size?: Pick<PoolSettings, 'poolThreads' | 'queueLength'>,
): Promise<VisionPool> {
  return createVisionPool({
    pack,
    providers: config.EXECUTION_PROVIDERS.split(','),
    gpuDevice: config.GPU_DEVICE_ID,
    // Each vision thread runs its networks on one core: more would compete for the cores.
    threads: 1,
    maxPixels: config.MAX_PIXELS,
    minFaceSize: config.MIN_FACE_SIZE,
    poolThreads: config.VISION_THREADS,
    queueLength: config.VISION_QUEUE,
    ...size,
  });
}

/** Picture files in a folder and in the folders below it, sorted. @throws KaomonError SETUP */
export async function picturesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
    throw new KaomonError('SETUP', `The folder ${folder} cannot be read.`, { cause });
  });
  return entries
    .filter((entry) => entry.isFile() && READABLE_NAME.test(entry.name))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
}

/** The server's own audit log, so that it tells how everybody came into the gallery. */
export function openAudit({ AUDIT_FILE: file }: Pick<Config, 'AUDIT_FILE'>): Audit {
  let warned = false;
  const error = () => {
    if (!warned) note(`The audit file ${file} cannot be written.`);
    warned = true;
  };
  return createAudit({ file, log: { info: () => undefined, error } });
}

/** A store to fill (see `openFillableStore`) that records each addition in the audit log, as every enrolment does. */
export async function openAuditedStore(
  config: Config,
  options: Parameters<typeof openFillableStore>[1],
): Promise<FillableStore> {
  const store = await openFillableStore(config, options);
  const audit = openAudit(config);
  const record = (whom: Record<string, unknown>) =>
    void audit.record({ ...COMMAND_LINE, action: 'enrol', whom, outcome: 'done' });
  return {
    ...store,
    async addFace(face, vector, extras) {
      await store.addFace(face, vector, extras);
      record({ ...splitFaceId(face.faceid), id: face.id });
    },
    async keepPerson(faceid, profile) {
      const isNew = await store.keepPerson(faceid, profile);
      if (isNew) record({ ...splitFaceId(faceid) });
      return isNew;
    },
    async createGroup(group) {
      const isNew = await store.createGroup(group);
      if (isNew) record({ groupid: group.groupid });
      return isNew;
    },
    async close() {
      await store.close();
      await audit.flush();
    },
  };
}

/** Says whether a running server sees what a command has added to the gallery of a pack. */
export function describeReach(pack: string, { EVENT_LOG }: Config): string {
  return EVENT_LOG === 'none'
    ? 'With EVENT_LOG=none no server is told: restart a running one to let it see them.'
    : `A running server with the pack ${pack} sees them already; one with another pack does not use them: restart it with MODEL_PACK=${pack}.`;
}

/** Runs work that SIGINT and SIGTERM abort. @param reason what it is aborted with */
export async function abortable<T>(work: (signal: AbortSignal) => Promise<T>, reason?: unknown): Promise<T> {
  const ended = new AbortController();
  const stop = () => ended.abort(reason);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
  try {
    return await work(ended.signal);
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, stop);
  }
}

/**
 * Runs a command. An error that the user can fix is printed as one line.
 * @param tellsCause adds the error's cause, for errors whose message alone does not say what is wrong
 * @returns its exit status
 */
export async function runCommand(
  work: () => Promise<number>,
  { tellsCause = false }: { tellsCause?: boolean } = {},
): Promise<number> {
  try {
    return await work();
  } catch (error) {
    // parseArgs throws a TypeError with a code for an unknown option.
    if (error instanceof KaomonError || (error instanceof TypeError && 'code' in error)) {
      const cause = tellsCause && error.cause instanceof Error ? ` (${quietMessage(error.cause)})` : '';
      console.error(`kaomon: ${error.message}${cause}`);
      return 1;
    }
    // A full disk or a folder that cannot be written: the system's message names the file.
    if (error instanceof Error && 'syscall' in error && 'path' in error) {
      console.error(`kaomon: ${error.message}.`);
      return 1;
    }
    // Node would also print whatever a library has attached to the error.
    console.error(quietText(error));
    return 1;
  }
}
