/** Compares a snapshot with the store, person by person, and reads who differs. */
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import pMap from 'p-map';
import { profileOf } from '../store/profile.js';
import type { EmbeddingStore, Profile, Stamp } from '../store/store.js';
import { templateOf } from '../templates.js';
import type { Face } from '../types.js';
import type { Entry } from './encode.js';
import type { SnapshotPeople } from './people.js';

/** People looked at before anything else may run. */
const SLICE = 2048;
/** People read at a time: enough to hide a disk or a network. */
const AT_ONCE = 64;
/** A file system may give two changes the same date: what was changed this shortly before is read again, milliseconds. */
const SETTLED = 2000;
const UNKNOWN = { modified: 0, changed: 0 };

/** A snapshot to compare with. */
export interface Previous {
  people: SnapshotPeople;
  /** @param row of its vectors */
  vectorAt(row: number): Promise<Float32Array>;
}

/** What became of the next person, in the order of the faceids. */
export type Step =
  /** Nothing. */
  | { same: number; stamp: Entry['stamp'] }
  /** New, or changed. */
  | { entry: Entry; lost: boolean };

export interface CompareOptions {
  store: Pick<EmbeddingStore, 'list' | 'readPerson' | 'stamper' | 'damage'>;
  previous: Previous | undefined;
  /** Whether people with several faces have a template. */
  templates: boolean;
  signal: AbortSignal;
  /** @param done people of all */
  onProgress?: ((done: number, all: number) => void) | undefined;
  /** Who was changed so shortly before is read again the next time, milliseconds. */
  settled?: number | undefined;
}

/**
 * Goes through everybody in the store. People of the snapshot whom no step names are not there any more.
 * @throws the signal's reason
 */
export async function* compareWithStore(options: CompareOptions): AsyncGenerator<Step[]> {
  const { store, previous, signal, onProgress, settled = SETTLED } = options;
  // The clock of the file system is asked later than this one.
  const latest = Date.now() - settled;
  const stamper = await store.stamper?.();
  const faceids = (await store.list()).sort();
  const reported = reportedIn(store);

  const stampNow = (faceid: string, faces: readonly string[]) => toStamp(stamper?.(faceid, faces), latest);

  /** @param old the number in the snapshot; -1: none */
  async function read(faceid: string, old: number): Promise<Step | undefined> {
    const before = old < 0 ? undefined : previous?.people.personAt(old);
    const known = new Set(stamper ? [] : before?.faces.map(({ id }) => id));
    const person = await store.readPerson(faceid, known);
    if (!person) return undefined;
    const faces: Face[] = person.faces.map(({ id, enrolledAt, automatic, hasPicture }) => {
      return { id, faceid, enrolledAt, automatic, hasPicture };
    });
    const stamp = stampNow(
      faceid,
      faces.map(({ id }) => id),
    );
    const held = new Map<string, number>(before?.faces.map(({ id }, i) => [id, before.rows.first + i]));
    const vectors: Float32Array[] = [];
    let isSame = before?.faces.length === faces.length && isDescribedAs(before, person);
    let kept = 0;
    for (const [i, { id, vector, hasPicture }] of person.faces.entries()) {
      const row = held.get(id);
      const old = row === undefined ? undefined : await previous?.vectorAt(row);
      const now = vector ?? old;
      if (!now) return undefined;
      vectors.push(now);
      if (old && areEqual(old, now)) kept += 1;
      isSame &&= before?.faces[i].id === id && before.faces[i].hasPicture === hasPicture;
    }
    if (isSame && kept === faces.length) return { same: old, stamp };
    const template = options.templates ? templateOf(vectors) : undefined;
    if (template) vectors.push(template);
    return { entry: { faceid, ...profileOf(person), faces, vectors, stamp }, lost: kept < held.size };
  }

  const there = previous?.people;
  for (let from = 0; from < faceids.length; from += SLICE) {
    signal.throwIfAborted();
    await nextTurn();
    const slice = faceids.slice(from, from + SLICE).map((faceid): Step | (() => ReturnType<typeof read>) => {
      if (!there) return () => read(faceid, -1);
      const old = there.indexOf(faceid);
      if (old < 0) return () => read(faceid, -1);
      const before = there.stampAt(old);
      const ids = () => there.personAt(old).faces.map(({ id }) => id);
      if (before.changed === 0 || !stamper) return () => read(faceid, old);
      const now = toStamp(stamper(faceid, ids()), Infinity);
      const isSame = now.modified === before.modified && now.changed === before.changed;
      return isSame ? { same: old, stamp: before } : () => read(faceid, old);
    });
    const steps = await pMap(
      slice,
      (step) => {
        signal.throwIfAborted();
        return typeof step === 'function' ? step() : step;
      },
      { concurrency: AT_ONCE },
    );
    const damaged = reported();
    yield steps.flatMap((step) => {
      if (!step) return [];
      // What is damaged and stays where it is, is to be reported by the next start as well.
      if ('entry' in step && damaged.has(step.entry.faceid)) step.entry.stamp = UNKNOWN;
      return [step];
    });
    onProgress?.(Math.min(from + SLICE, faceids.length), faceids.length);
  }
}

/** @param latest of who was changed later, nothing is known */
function toStamp(stamp: Stamp | undefined, latest: number): Entry['stamp'] {
  if (!stamp || stamp.newest > latest) return UNKNOWN;
  return { modified: stamp.modified, changed: stamp.changed };
}

/** Tells whose damage was reported since the last call, by faceid, where it is a file's. */
function reportedIn({ damage }: Pick<EmbeddingStore, 'damage'>): () => ReadonlySet<string> {
  let before = damage.count();
  return () => {
    if (damage.count() === before) return new Set();
    const found = damage.list().slice(before);
    before = damage.count();
    return new Set(found.map(({ what }) => path.basename(path.dirname(what))));
  };
}

function isDescribedAs(before: Profile, now: Profile): boolean {
  return (
    before.username === now.username &&
    JSON.stringify(before.metadata) === JSON.stringify(now.metadata) &&
    isDeepStrictEqual(before.consent, now.consent)
  );
}

function areEqual(a: Float32Array, b: Float32Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
