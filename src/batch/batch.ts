import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { type Audit, type AuditEntry, COMMAND_LINE } from '../access/audit.js';
import { KaomonError } from '../platform/errors.js';
import { isSameEmbedding } from '../gallery/embedding.js';
import { findByPicture } from '../gallery/face-name.js';
import { faceIdOf } from '../gallery/ids.js';
import { createKeyedMutex } from '../platform/keyed-mutex.js';
import type { Gallery } from '../gallery/types.js';
import { isStoreTrouble } from '../platform/files/obstacles.js';
import { checkQuality, chooseFace, type EnrolLimits } from '../identity/enrol.js';
import type { AnalysedFace, VisionPool } from '../vision/types.js';
import { hashOf, type Journal, type JournalEntry } from './journal.js';
import type { BatchItem } from './list.js';

/** What became of a picture. */
export interface BatchResult {
  item: BatchItem;
  /** `enrolled` in this run; `known`: enrolled before; `refused`: not used. */
  outcome: 'enrolled' | 'known' | 'refused';
  /** Clockwise degrees that the picture had to be turned by for its face to be found. */
  turned?: number;
  error?: KaomonError;
}

export interface BatchDeps {
  vision: Pick<VisionPool, 'analyze'>;
  gallery: Pick<Gallery, 'enrolOnce' | 'person' | 'updatePerson' | 'vectors'>;
  /** What a face must reach to be enrolled. */
  limits: EnrolLimits;
  keepFaces: boolean;
  maxPixels: number;
  /** Pictures under way at a time: enough that no vision thread waits. */
  inFlight: number;
  /**
   * Refuses a face that is another person's, as the enroller's function of this name does for the API; left out: whoever
   * has it already, it is taken.
   */
  refuseOtherPerson?: (faceid: string, embedding: Float32Array) => Promise<void>;
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

/** Tried in this order when no face is found upright; of those that show one the surest is taken. */
const TURNS = [90, 270, 180] as const;
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
  const enrol = createPictureEnroller(deps);
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
      const entry = await enrol(item, bytes, hash);
      journal?.add(item, hash, { ...entry, ...(item.username !== undefined && { username: item.username }) });
      return { item, outcome: entry.outcome, ...(entry.turned !== undefined && { turned: entry.turned }) };
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
  return { item, outcome: 'known', ...(entry.turned !== undefined && { turned: entry.turned }) };
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
function createPictureEnroller(deps: BatchDeps) {
  const { vision, gallery, limits, keepFaces, maxPixels, refuseOtherPerson, dryRun = false } = deps;
  const tell = createTeller(deps);
  const nameAnew = createNamer(deps);
  /**
   * A picture is compared with those that are stored, the person's own and everybody's, so they are stored one after
   * another: of two people who come with one face at once the second is refused.
   */
  const mutex = createKeyedMutex();

  const look = async (bytes: Uint8Array) =>
    // A copy: the pool takes the buffer it is given.
    (await vision.analyze(bytes.slice(), { quality: true, crops: keepFaces, views: true })).faces;

  async function lookAround(bytes: Uint8Array): Promise<{ faces: AnalysedFace[]; turned?: number }> {
    const asItIs = await look(bytes);
    const lies = quartersOf(asItIs.at(0)?.quality?.roll);
    if (asItIs.length > 0 && lies === 0) return { faces: asItIs };
    let best: { faces: AnalysedFace[]; turned?: number } = { faces: [] };
    for (const turned of lies === 0 ? TURNS : [360 - lies]) {
      const faces = await look(await turn(bytes, turned, maxPixels));
      if ((faces.at(0)?.probability ?? 0) > (best.faces.at(0)?.probability ?? 0)) best = { faces, turned };
    }
    return best.faces.length > 0 ? best : { faces: asItIs };
  }

  /** @param picture what its bytes are known by */
  return async function enrolPicture(
    item: BatchItem,
    bytes: Uint8Array,
    picture: string,
  ): Promise<EnrolledEntry> {
    const { groupid, userid, username } = item;
    const before = findByPicture(gallery.person(faceIdOf(groupid, userid))?.faces ?? [], picture);
    if (before) {
      if (!dryRun) await nameAnew(item);
      return { outcome: 'known', face: before.id };
    }
    const { faces, turned } = await lookAround(bytes);
    const chosen = chooseFace(faces, limits.minSize);
    checkQuality(chosen, limits);
    const { embedding, crop } = chosen;
    if (!embedding) throw new Error('The vision thread answered a face without its embedding.');
    const faceid = faceIdOf(groupid, userid);
    const mark = turned === undefined ? {} : { turned };
    return await mutex.run('everybody', async () => {
      const stored = gallery.person(faceid) ? await gallery.vectors(faceid) : [];
      const same = stored.find(({ vector }) => isSameEmbedding(vector, embedding));
      if (same) {
        if (!dryRun) await nameAnew(item);
        return { outcome: 'known', face: same.face.id, ...mark };
      }
      await refuseOtherPerson?.(faceid, embedding);
      if (dryRun) return { outcome: 'enrolled', face: '', ...mark };
      const person = { groupid, userid, ...(username && { username }) };
      const kept = { picture, ...(keepFaces && crop && { crop }) };
      const { face, already } = await gallery.enrolOnce({ ...person, ...kept }, embedding);
      if (already) return { outcome: 'known', face: face.id, ...mark };
      await tell(item, { action: 'enrol', outcome: 'done' }, face.id);
      return { outcome: 'enrolled', face: face.id, ...mark };
    });
  };
}

/** A face that is tilted by more lies on its side or stands on its head, degrees. */
const LYING = 60;

/** How a face lies: 0, 90, 180 or 270 degrees clockwise, whichever is nearest. */
const quartersOf = (roll = 0) => (Math.abs(roll) > LYING ? ((Math.round(roll / 90) + 4) % 4) * 90 : 0);

/** The picture turned clockwise, after its EXIF orientation was applied, without loss. */
async function turn(bytes: Uint8Array, degrees: number, maxPixels: number): Promise<Uint8Array> {
  // It was read before: what is wrong with its end is not worth a refusal here.
  const image = sharp(bytes, { failOn: 'none', limitInputPixels: maxPixels, ignoreIcc: true });
  const png = await image.autoOrient().rotate(degrees).png({ compressionLevel: 1 }).toBuffer();
  return new Uint8Array(png);
}
