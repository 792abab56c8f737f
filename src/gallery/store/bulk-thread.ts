/** The thread that writes the folders of many people (bulk-writer.ts). Its calls block: nothing else happens here. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chownSync,
  closeSync,
  fchownSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { parentPort } from 'node:worker_threads';
import { hasCode, UNFINISHED } from '../../platform/files/durable.js';
import type { Owner } from '../../platform/files/owner.js';

export interface PersonFiles {
  faceid: string;
  files: { name: string; data: Uint8Array | string }[];
}

export interface BulkTask {
  packFolder: string;
  people: readonly PersonFiles[];
}

export type BulkAnswer = { added: boolean[] } | { message: string; code: string | undefined };

const ROOT = 0;

parentPort?.on('message', (task: BulkTask) => parentPort?.postMessage(answer(task)));

function answer(task: BulkTask): BulkAnswer {
  try {
    return { added: addPeople(task) };
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    return { message, code };
  }
}

/** Everybody is written under another name, then all is made to survive a power cut at once, then each gets their name. */
function addPeople({ packFolder, people }: BulkTask): boolean[] {
  const owner = ownerIn(packFolder);
  const staged: string[] = [];
  try {
    for (const { files } of people) {
      const folder = path.join(packFolder, `${UNFINISHED}${randomBytes(6).toString('hex')}`);
      mkdirSync(folder);
      staged.push(folder);
      if (owner) chownSync(folder, owner.uid, owner.gid);
      for (const { name, data } of files) write(path.join(folder, name), data, owner);
    }
    syncAll(packFolder, staged);
    const added = people.map(({ faceid }, i) => place(staged[i], path.join(packFolder, faceid)));
    sync(packFolder);
    return added;
  } finally {
    for (const folder of staged) rmSync(folder, { recursive: true, force: true });
  }
}

/** See platform/files/owner.ts. */
function ownerIn(folder: string): Owner | undefined {
  if (process.getuid?.() !== ROOT) return undefined;
  const { uid, gid } = statSync(folder);
  return uid === ROOT ? undefined : { uid, gid };
}

function write(file: string, data: Uint8Array | string, owner: Owner | undefined): void {
  const handle = openSync(file, 'wx', 0o600);
  try {
    if (owner) fchownSync(handle, owner.uid, owner.gid);
    writeFileSync(handle, data);
  } finally {
    closeSync(handle);
  }
}

/** @returns false when there is a folder of that name with something in it */
function place(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOTEMPTY', 'EEXIST')) return false;
    throw error;
  }
}

let canSyncAtOnce = true;

/**
 * Makes folders and all that is in them survive a power cut: by one call for the whole file system where there is the
 * program for it (coreutils), which is four times as fast as a call for each file.
 */
function syncAll(around: string, folders: readonly string[]): void {
  if (canSyncAtOnce) {
    try {
      execFileSync('sync', ['--file-system', around], { stdio: 'ignore' });
      return;
    } catch {
      canSyncAtOnce = false;
    }
  }
  for (const folder of folders) {
    for (const name of readdirSync(folder)) sync(path.join(folder, name));
    sync(folder);
  }
}

function sync(place: string): void {
  const handle = openSync(place, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
