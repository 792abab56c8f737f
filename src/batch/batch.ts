import { readFile } from 'node:fs/promises';
import { type Audit, type AuditEntry, COMMAND_LINE } from '../access/audit.js';
import { KaomonError } from '../platform/errors.js';
import { isSameEmbedding } from '../gallery/embedding.js';
import { faceIdOf } from '../gallery/ids.js';
import type { Gallery } from '../gallery/types.js';
import { isStoreTrouble } from '../platform/files/obstacles.js';
import { createEnroller, type EnrollerDeps } from '../identity/enrol.js';
import type { VisionPool } from '../vision/types.js';
import { hashOf, type Journal, type JournalEntry } from './journal.js';
import type { BatchItem } from './list.js';
import { createTurningVision } from './turning-vision.js';

/** What became of a picture. */
export interface BatchResult {
  item: BatchItem;
  /** `enrolled` in this run; `known`: enrolled before; `refused`: not used. */
  outcome: 'enrolled' | 'known' | 'refused';
  /** Clockwise degrees that the picture had to be turned by for its face to be found. */
  turned?: number;
  error?: KaomonError;
}

export interface BatchDeps extends Pick<EnrollerDeps, 'decision' | 'limits' | 'keepFaces'> {
  vision: Pick<VisionPool, 'analyze'>;
  gallery: EnrollerDeps['gallery'] & Pick<Gallery, 'nearest' | 'vectors'>;
  maxPixels: number;
  /** Pictures under way at a time: enough that no vision thread waits. */
  inFlight: number;
  /** Enrol even faces that are enrolled under another person. */
  force?: boolean;
  /** Left out: nothing is taken up and nothing written down. */
  journal?: Journal;
  /** Gets a line for each picture that this run enrolled or refused, as the API's calls have one. */
  audit?: Pick<Audit, 'record' | 'flush'>;
  /** Look at everything and write nothing. */
  dryRun?: boolean;
  /** Look again at pictures that an earlier run refused. */
  again?: boolean;
  onResult?: (result: BatchResult) => void;
  /** Asked before each picture. */
  stopped?: () => boolean;
}

/** Not the picture's fault, but the machine's or that of who else is enrolled: the next run tries again. */
const PASSING = new Set(['INTERNAL', 'NO_MODEL', 'BUSY', 'CLOSING', 'OTHER_PERSON']);

/**
 * Enrols one picture after another, several at a time. A picture that cannot be used never changes what happens to
 * the next one: each carries its own person through every step.
 * @returns what became of each picture that was looked at, in no order
 * @throws KaomonError STORE_UNAVAILABLE, STORAGE_FULL when the gallery cannot be written: the run ends, the next one goes on
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
      if (before && !redo && stillTrue(before, item, deps.gallery)) {
        const { username } = item;
        // Of a row that was taken before its name may be another now; what somebody renamed since then stays.
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
      if (!PASSING.has(error.code)) {
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

/** Whether a face that was enrolled is still there; a refused picture stays refused. */
function stillTrue(entry: JournalEntry, item: BatchItem, gallery: Pick<Gallery, 'person'>): boolean {
  if (entry.outcome === 'refused') return true;
  const person = gallery.person(faceIdOf(item.groupid, item.userid));
  return person?.faces.some(({ id }) => id === entry.face) ?? false;
}

function fromJournal(item: BatchItem, entry: JournalEntry): BatchResult {
  if (entry.outcome === 'refused') {
    return { item, outcome: 'refused', error: new KaomonError(entry.code, entry.message) };
  }
  return { item, outcome: 'known', turned: entry.turned };
}

/** Puts what was done to a person into the audit; on the disk before the journal says that it needs no doing again. */
function createTeller({ audit }: Pick<BatchDeps, 'audit'>) {
  return async (
    { groupid, userid }: BatchItem,
    what: Pick<AuditEntry, 'action' | 'outcome' | 'status'>,
    id?: string,
  ): Promise<void> => {
    void audit?.record({ ...COMMAND_LINE, ...what, whom: { groupid, userid, ...(id && { id }) } });
    await audit?.flush();
  };
}

/** Takes over the name that a row gives a person who is there. */
function createNamer(deps: Pick<BatchDeps, 'gallery' | 'audit'>) {
  const { gallery } = deps;
  const tell = createTeller(deps);
  return async (item: BatchItem): Promise<void> => {
    const { groupid, userid, username } = item;
    const person = gallery.person(faceIdOf(groupid, userid));
    if (!username || !person || person.username === username) return;
    await gallery.updatePerson(person.faceid, { username });
    await tell(item, { action: 'change', outcome: 'done' });
  };
}

type EnrolledEntry = Extract<JournalEntry, { face: string }>;

/** Takes one picture from bytes to the gallery. */
function createPictureEnroller(items: readonly BatchItem[], deps: BatchDeps) {
  const { vision, gallery, maxPixels, force, dryRun = false } = deps;
  const tell = createTeller(deps);
  const enroller = createEnroller({
    ...deps,
    vision: createTurningVision(vision, maxPixels),
    gallery: dryRun ? unwritten(gallery, items) : gallery,
    nearest: (...asked) => gallery.nearest(...asked),
    doubleSeconds: 0,
  });

  return async function enrolPicture(item: BatchItem, bytes: Uint8Array): Promise<EnrolledEntry> {
    const { groupid, userid, username } = item;
    const nameOf = () => gallery.person(faceIdOf(groupid, userid))?.username;
    const before = nameOf();
    const { face, already, turned } = await enroller.enrol(
      { groupid, userid, username: dryRun ? undefined : username },
      bytes,
      // A folder holds several pictures of each person.
      { force, oneOfSeveral: true },
    );
    if (already && nameOf() !== before) await tell(item, { action: 'change', outcome: 'done' });
    if (!already && !dryRun) await tell(item, { action: 'enrol', outcome: 'done' }, face.id);
    return { outcome: already ? 'known' : 'enrolled', face: face.id, turned };
  };
}

/** The gallery of a dry run: it says whether it has a face, and takes none. */
function unwritten(gallery: BatchDeps['gallery'], items: readonly BatchItem[]): BatchDeps['gallery'] {
  const groups = [...new Set(items.map(({ groupid }) => groupid))];
  return {
    ...gallery,
    // Those that are not there yet would be made.
    groups: () => groups.map((groupid) => ({ groupid, groupname: groupid })),
    async enrolOnce({ groupid, userid }, embedding) {
      const faceid = faceIdOf(groupid, userid);
      const stored = gallery.person(faceid) ? await gallery.vectors(faceid) : [];
      const same = stored.find(({ vector }) => isSameEmbedding(vector, embedding));
      if (same) return { face: same.face, already: true };
      const face = { id: '', faceid, enrolledAt: '', automatic: false, hasPicture: false };
      return { face, already: false };
    },
  };
}
