/** The audit's file among processes: whoever appends shares it, whoever takes old lines out has it alone for a moment. */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import { createClockDoubt, sinceBoot } from '../platform/clock-doubt.js';
import { syncFolder, UNFINISHED, unlessMissing } from '../platform/files/durable.js';
import { isNamed } from '../platform/files/lock.js';
import { giveIfNew, giveTo, ownerOf } from '../platform/files/owner.js';
import { quietMessage } from '../platform/quiet-error.js';

/** Between two tries, milliseconds. */
const PAUSE = 10;
/** So long whoever appends waits for the one who takes lines out, who needs milliseconds. */
const PATIENCE = 2000;
/** Bytes read at a time. */
const BLOCK = 1 << 18;
const LINE_BREAK = 0x0a;
const DAY = 86_400_000;
/** How often old lines are looked for, milliseconds. */
const EVERY = DAY / 4;

/** Opens the file for one write at its end, which is safe until the handle is closed. Made where it is missing. */
export async function openForLines(file: string): Promise<FileHandle> {
  const begun = performance.now();
  for (;;) {
    // Also to be read, which a shared lock asks for.
    const handle = await open(file, 'a+', 0o600);
    try {
      await giveIfNew(handle, file);
      const isLocked = await lock(handle, true);
      if ((isLocked && (await isNamed(file, handle))) || performance.now() - begun > PATIENCE) return handle;
    } catch (error) {
      await handle.close();
      throw error;
    }
    await handle.close();
    await wait(PAUSE);
  }
}

/**
 * Erases lines that were written before a time. Lines are copied while others append; only the last of them, and the new
 * name, with the file locked.
 * @param before milliseconds since 1970
 * @returns how many
 * @throws system errors: nothing was changed
 */
export async function pruneLines(file: string, before: number): Promise<number> {
  const from = await unlessMissing(open(file, constants.O_RDWR));
  if (!from) return 0;
  const unfinished = path.join(path.dirname(file), `${UNFINISHED}${randomBytes(6).toString('hex')}`);
  let to: FileHandle | undefined;
  try {
    const { mode } = await from.stat();
    to = await open(unfinished, 'wx', mode & 0o777);
    await giveTo(to, await ownerOf(file));
    const first = await copyLines(from, to, 0, before);
    if (first.dropped === 0) return 0;
    await to.sync();
    await lockAlone(from);
    // It was rotated meanwhile: what is there now is young.
    if (!(await isNamed(file, from))) return 0;
    const rest = await copyLines(from, to, first.next, before);
    await copyBytes(from, to, rest.next);
    await to.sync();
    await rename(unfinished, file);
    await syncFolder(path.dirname(file));
    return first.dropped + rest.dropped;
  } finally {
    await rm(unfinished, { force: true });
    await to?.close();
    // This is what frees the lock.
    await from.close();
  }
}

export interface PruningOptions {
  log: Pick<FastifyBaseLogger, 'warn'>;
  /** Milliseconds since 1970. */
  date?: () => number;
  /** Milliseconds that have passed, whatever the clock is set to. */
  now?: () => number;
  /** Milliseconds between two runs. */
  every?: number;
}

/** Erases old lines from the start on, and four times a day. By a clock that has just jumped nothing is too old. */
export function startPruning(file: string, days: number, options: PruningOptions) {
  const { log, date = () => Date.now(), now = sinceBoot, every = EVERY } = options;
  const isSure = createClockDoubt(date, now);
  let running: Promise<void> | undefined;
  const run = async () => {
    try {
      const at = date();
      if (isSure()) await pruneLines(file, at - days * DAY);
    } catch (error) {
      log.warn({ reason: quietMessage(error) }, 'Old lines of the audit cannot be erased at the moment');
    }
  };
  const tick = () => (running ??= run().finally(() => (running = undefined)));
  const timer = setInterval(() => void tick(), every);
  timer.unref();
  void tick();
  return {
    async close(): Promise<void> {
      clearInterval(timer);
      await running;
    },
  };
}

/** @returns false: somebody else has it. Where files cannot be locked nobody takes lines out, see {@link lockAlone}. */
async function lock(handle: FileHandle, shared: boolean): Promise<boolean> {
  const { tryLock } = await import('fs-native-extensions');
  try {
    return tryLock(handle.fd, { shared });
  } catch (error) {
    if (shared) return true;
    throw error;
  }
}

async function lockAlone(handle: FileHandle): Promise<void> {
  const begun = performance.now();
  while (!(await lock(handle, false))) {
    if (performance.now() - begun > PATIENCE * 5) throw new Error('Others write to it all the time.');
    await wait(PAUSE);
  }
}

/** Copies whole lines from a place on, but for old ones. @returns next: where the first line begins that is not whole */
async function copyLines(
  from: FileHandle,
  to: FileHandle,
  at: number,
  before: number,
): Promise<{ dropped: number; next: number }> {
  let dropped = 0;
  let left = Buffer.alloc(0) as Buffer;
  let place = at;
  for (;;) {
    const block = Buffer.alloc(BLOCK);
    const { bytesRead } = await from.read(block, 0, BLOCK, place);
    if (bytesRead === 0) return { dropped, next: place - left.length };
    place += bytesRead;
    const bytes = Buffer.concat([left, block.subarray(0, bytesRead)]);
    const kept: Buffer[] = [];
    let start = 0;
    for (let end = bytes.indexOf(LINE_BREAK); end >= 0; end = bytes.indexOf(LINE_BREAK, start)) {
      const line = bytes.subarray(start, end + 1);
      if (isOld(line, before)) dropped += 1;
      else kept.push(line);
      start = end + 1;
    }
    left = bytes.subarray(start);
    await writeAll(to, Buffer.concat(kept));
  }
}

async function copyBytes(from: FileHandle, to: FileHandle, at: number): Promise<void> {
  const block = Buffer.alloc(BLOCK);
  for (let place = at; ;) {
    const { bytesRead } = await from.read(block, 0, BLOCK, place);
    if (bytesRead === 0) return;
    await writeAll(to, block.subarray(0, bytesRead));
    place += bytesRead;
  }
}

async function writeAll(to: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += (await to.write(bytes, at)).bytesWritten;
}

/** A line begins with when it was written; one that does not is kept. */
function isOld(line: Buffer, before: number): boolean {
  const time = /^\{"time":"([^"]{20,30})"/.exec(line.toString('latin1', 0, 60))?.[1];
  return time !== undefined && Date.parse(time) < before;
}
