/**
 * Moves all faces of one person to another. A journal in the pack's folder lists the renames before the first and is
 * deleted after the last: a move that a crash interrupts is finished from it, never undone. Each face is always in one of
 * the two folders.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import {
  hasCode,
  makeFolder,
  namesIn,
  sweepUnfinished,
  syncFolder,
  UNFINISHED,
  unlessMissing,
  writeDurably,
} from '../../platform/files/durable.js';
import { giveToFolder } from '../../platform/files/owner.js';
import { readSmall, UnfitFile } from '../../platform/files/small-file.js';
import type { Damage } from '../../platform/files/damage.js';
import { renameFace } from '../face-name.js';
import { hasCorrections, markCorrected, unmarkCorrected } from './file-corrections.js';
import { CORRECTION, isPerson, type Layout, PERSON_FILE } from './file-layout.js';
import { splitFaceId } from '../ids.js';
import { passOver, SET_ASIDE, setAside } from '../../platform/files/set-aside.js';

const JOURNAL = '.moving-';
const PROCESS = randomUUID();
/** A move takes milliseconds: an older journal is abandoned, even if a process has its pid now. Milliseconds. */
const JOURNAL_AGE = 10 * 60_000;
/** The largest journal, bytes: that of a person with ten thousand pictures. */
const MOST_BYTES = 10_000_000;

const NoteSchema = Type.Object({
  from: Type.String(),
  to: Type.String(),
  /** Old and new name of every file. */
  files: Type.Array(Type.Tuple([Type.String(), Type.String()])),
  /** Whether to delete the name and metadata of `from`. */
  dropProfile: Type.Boolean(),
  /** The process that moves: another one finishes the move only when it has died. */
  host: Type.String(),
  pid: Type.Integer(),
  /** Different at each start: in a container the pid is always the same. */
  process: Type.String(),
});
type Note = Static<typeof NoteSchema>;

/** @returns as `EmbeddingStore.movePerson` */
export async function movePersonFolder(
  layout: Layout,
  from: string,
  to: string,
): Promise<'moved' | 'missing' | 'exists'> {
  const names = await namesIn(layout.personFolder(from));
  if (!isPerson(names)) return 'missing';
  const target = layout.personFolder(to);
  try {
    await mkdir(target);
    await giveToFolder(target);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    // An empty folder is left over from a crash.
    if (isPerson(await namesIn(target))) return 'exists';
  }
  const faces = renamed(names, from, to, new Set());
  if (hasCorrections(names)) await markCorrected(layout, to);
  const rest = names.filter((name) => name === PERSON_FILE).map((name): [string, string] => [name, name]);
  await run(layout, { from, to, files: [...faces, ...rest], dropProfile: false });
  return 'moved';
}

/** @returns as `EmbeddingStore.mergePerson` */
export async function mergePersonFolders(layout: Layout, from: string, into: string): Promise<boolean> {
  const names = await namesIn(layout.personFolder(from));
  const others = await namesIn(layout.personFolder(into));
  if (!isPerson(names) || !isPerson(others)) return false;
  if (hasCorrections(names)) await markCorrected(layout, into);
  const taken = new Set(others.map((name) => path.parse(name).name));
  await run(layout, { from, to: into, files: renamed(names, from, into, taken), dropProfile: true });
  return true;
}

/**
 * Finishes the moves of processes that have died. Who seems alive may be another process with the same pid, or a dead one of
 * another host: that move is looked at again once it is old.
 */
export function createMoveFinisher(layout: Layout, damage: Damage) {
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  function lookAgain(after: number): void {
    if (timer || isClosed) return;
    // A note from when the clock was far ahead: a timer takes no more than some weeks, and would go off at once.
    const pause = Math.min(after, JOURNAL_AGE);
    timer = setTimeout(() => {
      timer = undefined;
      finish().catch(() => lookAgain(JOURNAL_AGE));
    }, pause);
    timer.unref();
  }

  async function finish(): Promise<void> {
    const next = await finishMoves(layout, damage);
    if (next !== undefined) lookAgain(next);
  }

  return {
    finish,
    close(): void {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}

/** @returns in how many milliseconds the first that was passed over is old */
async function finishMoves(layout: Layout, damage: Damage): Promise<number | undefined> {
  let next: number | undefined;
  for (const name of await namesIn(layout.packFolder)) {
    const file = path.join(layout.packFolder, name);
    if (name.startsWith(UNFINISHED)) await sweepUnfinished(file);
    if (!name.startsWith(JOURNAL)) continue;
    let note: unknown;
    try {
      const text = await unlessMissing(readSmall(file, MOST_BYTES));
      if (text === undefined) continue;
      note = JSON.parse(text.toString('utf8'));
    } catch (error) {
      if (!(error instanceof SyntaxError || error instanceof UnfitFile)) {
        passOver(error, path.join(layout.pack, name), damage);
        continue;
      }
    }
    const found = await unlessMissing(stat(file));
    if (!found) continue;
    if (!Value.Check(NoteSchema, note) || !isSafe(note)) {
      const what = path.join(layout.pack, name);
      await setAside(layout.folder, what, 'it is no note of a move: see whether one was cut short', damage);
      continue;
    }
    const left = found.mtimeMs + JOURNAL_AGE - Date.now();
    if (left > 0 && isAlive(note)) next = Math.min(next ?? left, Math.ceil(left));
    else if (left <= 0 && (await isTaken(layout, note))) {
      const what = path.join(layout.pack, name);
      const reason = `the move of ${note.from} to ${note.to} was cut short long ago, and ${note.to} is somebody else by now: the files that it lists are where they were`;
      await setAside(layout.folder, what, reason, damage);
    } else await finish(layout, note, file);
  }
  return next;
}

/** Whether somebody else was enrolled at the target meanwhile: a name there that is not the mover's, which moves last. */
async function isTaken(layout: Layout, { from, to, files, dropProfile }: Note): Promise<boolean> {
  if (dropProfile || !(await namesIn(layout.personFolder(to))).includes(PERSON_FILE)) return false;
  const left = new Set(await namesIn(layout.personFolder(from)));
  return files.some(([name]) => left.has(name));
}

/**
 * The vector of a face or a correction and its picture get one new name. The picture goes first, because the vector makes
 * it count.
 */
function renamed(names: string[], from: string, to: string, taken: ReadonlySet<string>): [string, string][] {
  const there = new Set(names);
  return names
    .filter((name) => (name.endsWith('.npy') || name.endsWith(CORRECTION)) && name.startsWith(from))
    .flatMap((name) => {
      const { name: id, ext } = path.parse(name);
      const newId = renameFace(id, from, to, taken);
      const picture: [string, string][] = there.has(`${id}.png`) ? [[`${id}.png`, `${newId}.png`]] : [];
      return [...picture, [name, `${newId}${ext}`] satisfies [string, string]];
    });
}

async function run(layout: Layout, move: Omit<Note, 'host' | 'pid' | 'process'>): Promise<void> {
  const file = path.join(layout.packFolder, `${JOURNAL}${randomBytes(6).toString('hex')}.json`);
  const note: Note = { ...move, host: hostname(), pid: process.pid, process: PROCESS };
  try {
    await writeDurably(file, JSON.stringify(note));
  } catch (error) {
    // Nothing was moved yet: the new folder is empty.
    await rmdir(layout.personFolder(move.to)).catch(() => undefined);
    throw error;
  }
  await finish(layout, note, file);
}

/** Safe to run twice, and in two processes at once: a file that is missing was renamed by the other one. */
async function finish(
  layout: Layout,
  { from, to, files, dropProfile }: Note,
  noteFile: string,
): Promise<void> {
  const source = layout.personFolder(from);
  const target = layout.personFolder(to);
  await makeFolder(target);
  for (const [name, newName] of files) {
    await unlessMissing(rename(path.join(source, name), path.join(target, newName)));
  }
  await syncFolder(target);
  if (dropProfile) await rm(path.join(source, PERSON_FILE), { force: true });
  try {
    // When it is not empty, a new person was enrolled there meanwhile, who stays.
    await rmdir(source);
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTEMPTY')) throw error;
  }
  await syncFolder(layout.packFolder);
  await unmarkCorrected(layout, from);
  await moveSetAside(layout, from, to);
  await rm(noteFile, { force: true });
}

/** Damaged files of the person: who deletes the person deletes them, too. */
async function moveSetAside({ folder, pack }: Layout, from: string, to: string): Promise<void> {
  const source = path.join(folder, SET_ASIDE, pack, from);
  const names = await namesIn(source);
  if (names.length === 0) return;
  const target = path.join(folder, SET_ASIDE, pack, to);
  await makeFolder(target);
  for (const name of names) await unlessMissing(rename(path.join(source, name), path.join(target, name)));
  await rm(source, { recursive: true, force: true });
}

/** A journal lists renames: a forged one must not lead out of the two people's folders. */
function isSafe({ from, to, files }: Note): boolean {
  const plain = (name: string) => name !== '' && path.basename(name) === name && !name.startsWith('.');
  return [from, to].every((faceid) => splitFaceId(faceid)) && files.flat().every(plain);
}

function isAlive(note: Note): boolean {
  if (note.host !== hostname()) return true;
  if (note.pid === process.pid) return note.process === PROCESS;
  try {
    process.kill(note.pid, 0);
    return true;
  } catch (error) {
    return hasCode(error, 'EPERM');
  }
}
