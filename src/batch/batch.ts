import { readFile } from 'node:fs/promises';
import { type Audit, type AuditEntry, COMMAND_LINE } from '../access/audit.js';
import { KaomonError } from '../platform/errors.js';
import { faceIdOf } from '../gallery/ids.js';
import type { Gallery } from '../gallery/types.js';
import { isStoreTrouble } from '../platform/files/obstacles.js';
import { createEnrolments, createSearches, UNLIMITED } from '../identity/counted-work.js';
import { createEnroller, type EnrollerDeps, type LookedAt } from '../identity/enrol.js';
import type { VisionPool } from '../vision/types.js';
import { type BatchGallery, unwritten } from './dry-run.js';
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

export interface BatchDeps extends Pick<EnrollerDeps, 'decision' | 'limits' | 'keepFaces' | 'needsConsent'> {
  vision: Pick<VisionPool, 'analyze'>;
  gallery: BatchGallery;
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
const TEMPORARY = new Set([
  'INTERNAL',
  'NO_MODEL',
  'BUSY',
  'CLOSING',
  'OTHER_PERSON',
  'NOT_THE_SAME_PERSON',
  'CONSENT_MISSING',
]);

/**
 * The most pictures of a person that are compared with one another before any is enrolled; further ones are compared with
 * those. So many are lost to a run that is interrupted.
 */
const PARTY = 32;

/** Pictures of one person that are enrolled together. */
interface Party {
  /** How many have not been looked at yet. */
  left: number;
  looked: { item: BatchItem; hash: string; looked: LookedAt }[];
}

/** All pictures, those of a person in a row, each with its party. */
function* partiesOf(items: readonly BatchItem[]): Generator<[BatchItem, Party]> {
  const people = new Map<string, BatchItem[]>();
  for (const item of items) {
    const faceid = faceIdOf(item.groupid, item.userid);
    const own = people.get(faceid);
    if (own) own.push(item);
    else people.set(faceid, [item]);
  }
  for (const own of people.values())
    for (let from = 0; from < own.length; from += PARTY) {
      const part = own.slice(from, from + PARTY);
      const party: Party = { left: part.length, looked: [] };
      for (const item of part) yield [item, party];
    }
}

/**
 * Enrols pictures, several at a time, those of a person once all of them have been looked at. A picture that cannot be used
 * does not affect the others.
 * @returns the outcome of each picture that was tried, in no order
 * @throws KaomonError STORE_UNAVAILABLE, STORAGE_FULL when the gallery cannot be written; another run continues
 */
export async function runBatch(items: readonly BatchItem[], deps: BatchDeps): Promise<BatchResult[]> {
  const { journal, onResult, dryRun = false, again = false, stopped = () => false } = deps;
  const results: BatchResult[] = [];
  const tell = createTeller(deps);
  const nameAnew = createNamer(deps);
  const enroller = createPictureEnroller(items, deps);
  const queue = [...partiesOf(items)].values();
  let failure: Error | undefined;

  function report(result: BatchResult): void {
    results.push(result);
    onResult?.(result);
  }

  async function work(): Promise<void> {
    for (const [item, party] of queue) {
      if (failure || stopped()) return;
      const result = await look(item, party);
      if (result) report(result);
      party.left -= 1;
      if (party.left === 0) await finish(party);
    }
  }

  /** @returns the outcome where the picture is not to be enrolled, else it is in the party */
  async function look(item: BatchItem, party: Party): Promise<BatchResult | undefined> {
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
        const named = journal?.mark(username);
        const isRenamed = before.outcome !== 'refused' && named !== undefined && named !== before.named;
        if (isRenamed && !dryRun) {
          await nameAnew(item);
          journal?.add(item, hash, { ...before, named });
        }
        return fromJournal(item, before);
      }
      party.looked.push({ item, hash, looked: await enroller.look(item, bytes) });
      return undefined;
    } catch (error) {
      return await refuse(item, hash, error);
    }
  }

  async function finish({ looked }: Party): Promise<void> {
    if (failure || looked.length === 0) return;
    const outcomes = await enroller.finish(looked);
    let trouble: unknown;
    for (const [i, { item, hash }] of looked.entries()) {
      const outcome = outcomes[i];
      if (outcome.status === 'fulfilled') {
        const entry = outcome.value;
        journal?.add(item, hash, { ...entry, named: journal.mark(item.username) });
        report({ item, outcome: entry.outcome, turned: entry.turned });
        continue;
      }
      try {
        report(await refuse(item, hash, outcome.reason));
      } catch (error) {
        trouble ??= error;
      }
    }
    if (trouble !== undefined) throw trouble as Error;
  }

  /** @throws what is not this picture's own fault */
  async function refuse(item: BatchItem, hash: string, error: unknown): Promise<BatchResult> {
    if (!(error instanceof KaomonError)) throw error;
    const { statusCode: status } = error;
    if (!dryRun) await tell(item, { action: 'enrol', outcome: status < 500 ? 'refused' : 'failed', status });
    if (isStoreTrouble(error)) throw error;
    if (!TEMPORARY.has(error.code)) {
      journal?.add(item, hash, { outcome: 'refused', code: error.code, message: error.message });
    }
    return { item, outcome: 'refused', error };
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

  const nameOf = async ({ groupid, userid }: BatchItem) =>
    (await gallery.person(faceIdOf(groupid, userid)))?.username;
  const personOf = ({ groupid, userid }: BatchItem, username: string | undefined) => {
    return { groupid, userid, username: dryRun ? undefined : username };
  };
  // A folder holds several pictures of each person.
  const options = { force, oneOfSeveral: true };

  return {
    async look(item: BatchItem, bytes: Uint8Array): Promise<LookedAt> {
      const before = await nameOf(item);
      const looked = await enroller.look(personOf(item, item.username), bytes, options);
      if ((await nameOf(item)) !== before) await tell(item, { action: 'change', outcome: 'done' });
      return looked;
    },

    /** @param party pictures of one person, one or more @returns the outcome of each */
    async finish(party: Party['looked']): Promise<PromiseSettledResult<EnrolledEntry>[]> {
      const [{ item: first }] = party;
      const before = await nameOf(first);
      const username = party.findLast(({ item }) => item.username !== undefined)?.item.username;
      const all = party.map(({ looked }) => looked);
      const outcomes = await enroller.enrolTogether(personOf(first, username), all, options);
      const isNew = outcomes.some((outcome) => outcome.status === 'fulfilled' && !outcome.value.already);
      if (!isNew && (await nameOf(first)) !== before)
        await tell(first, { action: 'change', outcome: 'done' });
      const told: PromiseSettledResult<EnrolledEntry>[] = [];
      for (const [i, outcome] of outcomes.entries()) {
        if (outcome.status === 'rejected') {
          told.push(outcome);
          continue;
        }
        const { face, already, turned } = outcome.value;
        if (!already && !dryRun) await tell(party[i].item, { action: 'enrol', outcome: 'done' }, face.id);
        const entry: EnrolledEntry = { outcome: already ? 'known' : 'enrolled', face: face.id, turned };
        told.push({ status: 'fulfilled', value: entry });
      }
      return told;
    },
  };
}
