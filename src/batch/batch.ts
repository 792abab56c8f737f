import { readFile } from 'node:fs/promises';
import { type Audit, type AuditEntry, COMMAND_LINE } from '../access/audit.js';
import { KaomonError } from '../platform/errors.js';
import { isSameEmbedding } from '../gallery/embedding.js';
import { faceIdOf } from '../gallery/ids.js';
import type { Gallery } from '../gallery/types.js';
import { isStoreTrouble } from '../platform/files/obstacles.js';
import { createEnrolments, createSearches, UNLIMITED } from '../identity/counted-work.js';
import { createEnroller, type EnrollerDeps } from '../identity/enrol.js';
import type { VisionPool } from '../vision/types.js';
import { hashOf, type Journal, type JournalEntry } from './journal.js';
import type { BatchItem } from './list.js';
import { createTurningVision } from './turning-vision.js';

/** The outcome of a picture. */
export interface BatchResult {
  item: BatchItem;
  /** `enrolled` in this run, `known` (enrolled before) or `refused`. */
  outcome: 'enrolled' | 'known' | 'refused';
  /** By how many degrees clockwise the picture was turned to find its face. */
  turned?: number;
  error?: KaomonError;
}

export interface BatchDeps extends Pick<EnrollerDeps, 'decision' | 'limits' | 'keepFaces'> {
  vision: Pick<VisionPool, 'analyze'>;
  gallery: EnrollerDeps['gallery'] & Pick<Gallery, 'nearest' | 'vectors'>;
  maxPixels: number;
  /** Pictures in progress at a time: enough that no vision thread waits. */
  inFlight: number;
  /** Enrol faces even if they are enrolled under another person. */
  force?: boolean;
  /** Without it no earlier run is continued and nothing is recorded. */
  journal?: Journal;
  /** Records each picture that this run enrolled or refused, as for calls of the API. */
  audit?: Pick<Audit, 'record' | 'flush'>;
  /** Analyse everything and write nothing. */
  dryRun?: boolean;
  /** Try pictures again that an earlier run refused. */
  again?: boolean;
  onResult?: (result: BatchResult) => void;
  /** Asked before each picture. */
  stopped?: () => boolean;
}

/** Not the picture's fault, but the server's or due to who else is enrolled: the next run tries again. */
const TEMPORARY = new Set(['INTERNAL', 'NO_MODEL', 'BUSY', 'CLOSING', 'OTHER_PERSON']);

/**
 * Enrols pictures, several at a time. A picture that cannot be used does not affect the others.
 * @returns the outcome of each picture that was tried, in no order
 * @throws KaomonError STORE_UNAVAILABLE, STORAGE_FULL when the gallery cannot be written; another run continues
 */
export async function runBatch(items: readonly BatchItem[], deps: BatchDeps): Promise<BatchResult[]> {
  const { journal, onResult, dryRun = false, again = false, stopped = () => false } = deps;
  const results: BatchResult[] = [];
  const tell = createTeller(deps);
  const nameAnew = createNamer(deps);
  const enrol = createPictureEnroller(items, deps);
  const queue = items.values();
  let failure: Error | undefined;

  async function work(): Promise<void> {
    for (const item of queue) {
      if (failure || stopped()) return;
      const result = await one(item);
      results.push(result);
      onResult?.(result);
    }
  }

  async function one(item: BatchItem): Promise<BatchResult> {
    let bytes: Uint8Array;
    try {
      bytes = new Uint8Array(await readFile(item.file));
    } catch (cause) {
      const message = `The file cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'unknown'}).`;
      return { item, outcome: 'refused', error: new KaomonError('IMAGE_UNREADABLE', message, { cause }) };
    }
    const hash = hashOf(bytes);
    const before = journal?.find(item, hash);
    const redo = again && before?.outcome === 'refused';
    try {
      if (before && !redo && (await stillTrue(before, item, deps.gallery))) {
        const { username } = item;
        // The row's name may have changed since the earlier run; a person renamed elsewhere keeps that name.
        const isRenamed =
          before.outcome !== 'refused' && username !== undefined && username !== before.username;
        if (isRenamed && !dryRun) {
          await nameAnew(item);
          journal?.add(item, hash, { ...before, username });
        }
        return fromJournal(item, before);
      }
      const entry = await enrol(item, bytes);
      journal?.add(item, hash, { ...entry, username: item.username });
      return { item, outcome: entry.outcome, turned: entry.turned };
    } catch (error) {
      if (!(error instanceof KaomonError)) throw error;
      const { statusCode: status } = error;
      if (!dryRun)
        await tell(item, { action: 'enrol', outcome: status < 500 ? 'refused' : 'failed', status });
      if (isStoreTrouble(error)) throw error;
      if (!TEMPORARY.has(error.code)) {
        journal?.add(item, hash, { outcome: 'refused', code: error.code, message: error.message });
      }
      return { item, outcome: 'refused', error };
    }
  }

  const workers = Array.from({ length: deps.inFlight }, () =>
    work().catch((error: unknown) => {
      failure ??= error instanceof Error ? error : new Error(String(error));
    }),
  );
  await Promise.all(workers);
  if (failure) throw failure;
  return results;
}

/** Whether the journal's entry still holds: an enrolled face may have been deleted; a refused picture stays refused. */
async function stillTrue(
  entry: JournalEntry,
  item: BatchItem,
  gallery: Pick<Gallery, 'person'>,
): Promise<boolean> {
  if (entry.outcome === 'refused') return true;
  const person = await gallery.person(faceIdOf(item.groupid, item.userid));
  return person?.faces.some(({ id }) => id === entry.face) ?? false;
}

function fromJournal(item: BatchItem, entry: JournalEntry): BatchResult {
  if (entry.outcome === 'refused') {
    return { item, outcome: 'refused', error: new KaomonError(entry.code, entry.message) };
  }
  return { item, outcome: 'known', turned: entry.turned };
}

/** Records what was done in the audit log, on disk before the journal says that it is done. */
function createTeller({ audit }: Pick<BatchDeps, 'audit'>) {
  return async (
    { groupid, userid }: BatchItem,
    what: Pick<AuditEntry, 'action' | 'outcome' | 'status'>,
    id?: string,
  ): Promise<void> => {
    void audit?.record({
      ...COMMAND_LINE,
      ...what,
      whom: id === undefined ? { groupid, userid } : { groupid, userid, id },
    });
    await audit?.flush();
  };
}

/** Gives an enrolled person the name of a row. */
function createNamer(deps: Pick<BatchDeps, 'gallery' | 'audit'>) {
  const { gallery } = deps;
  const tell = createTeller(deps);
  return async (item: BatchItem): Promise<void> => {
    const { groupid, userid, username } = item;
    const person = await gallery.person(faceIdOf(groupid, userid));
    if (!username || !person || person.username === username) return;
    await gallery.updatePerson(person.faceid, { username });
    await tell(item, { action: 'change', outcome: 'done' });
  };
}

type EnrolledEntry = Extract<JournalEntry, { face: string }>;

function createPictureEnroller(items: readonly BatchItem[], deps: BatchDeps) {
  const { vision, gallery, maxPixels, force, dryRun = false } = deps;
  const tell = createTeller(deps);
  const enroller = createEnroller({
    ...deps,
    vision: createTurningVision(vision, maxPixels),
    gallery: dryRun ? unwritten(gallery, items) : gallery,
    nearest: (...asked) => gallery.nearest(...asked),
    searches: createSearches(UNLIMITED),
    enrolments: createEnrolments(UNLIMITED),
    doubleSeconds: 0,
  });

  return async function enrolPicture(item: BatchItem, bytes: Uint8Array): Promise<EnrolledEntry> {
    const { groupid, userid, username } = item;
    const nameOf = async () => (await gallery.person(faceIdOf(groupid, userid)))?.username;
    const before = await nameOf();
    const { face, already, turned } = await enroller.enrol(
      { groupid, userid, username: dryRun ? undefined : username },
      bytes,
      // A folder holds several pictures of each person.
      { force, oneOfSeveral: true },
    );
    if (already && (await nameOf()) !== before) await tell(item, { action: 'change', outcome: 'done' });
    if (!already && !dryRun) await tell(item, { action: 'enrol', outcome: 'done' }, face.id);
    return { outcome: already ? 'known' : 'enrolled', face: face.id, turned };
  };
}

/** The gallery of a dry run: it finds known faces, and stores none. */
function unwritten(gallery: BatchDeps['gallery'], items: readonly BatchItem[]): BatchDeps['gallery'] {
  const groups = new Set(items.map(({ groupid }) => groupid));
  return {
    ...gallery,
    // Missing groups would be created by then.
    group: (groupid) => Promise.resolve(groups.has(groupid) ? { groupid, groupname: groupid } : undefined),
    async enrolOnce({ groupid, userid }, embedding) {
      const faceid = faceIdOf(groupid, userid);
      const stored = (await gallery.person(faceid)) ? await gallery.vectors(faceid) : [];
      const same = stored.find(({ vector }) => isSameEmbedding(vector, embedding));
      if (same) return { face: same.face, already: true };
      const face = { id: '', faceid, enrolledAt: '', automatic: false, hasPicture: false };
      return { face, already: false };
    },
  };
}
