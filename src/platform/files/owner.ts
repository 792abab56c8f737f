/**
 * Who owns a file. A command that root runs beside a service (`sudo kaomon keys add`) must not leave files that the
 * service's own user can neither read nor replace.
 */
import { type FileHandle, chown, stat } from 'node:fs/promises';
import path from 'node:path';

export interface Owner {
  uid: number;
  gid: number;
}

const ROOT = 0;
const isRoot = () => process.getuid?.() === ROOT;

/**
 * Who must own a file that is about to be written: its present owner, or its folder's if it is new.
 * @returns undefined when nothing has to be done: this process is not root's, or root is the owner
 */
export async function ownerOf(file: string): Promise<Owner | undefined> {
  if (!isRoot()) return undefined;
  const there = await stat(file).catch(() => stat(path.dirname(file)).catch(() => undefined));
  return there && there.uid !== ROOT ? { uid: there.uid, gid: there.gid } : undefined;
}

/** Gives a file that is being written to its owner; where owners cannot be changed (NFS), it stays as it is. */
export async function giveTo(handle: FileHandle, owner: Owner | undefined): Promise<void> {
  if (owner) await handle.chown(owner.uid, owner.gid).catch(() => undefined);
}

/** Gives a new file or folder to the owner of the folder around it. */
export async function giveToFolder(made: string): Promise<void> {
  const owner = await ownerOf(path.dirname(made));
  if (owner) await chown(made, owner.uid, owner.gid).catch(() => undefined);
}

/** Like {@link giveToFolder}, for a file opened for appending: one with content already has its owner. */
export async function giveIfNew(handle: FileHandle, file: string): Promise<void> {
  if (!isRoot()) return;
  const { size, uid } = await handle.stat();
  if (size === 0 && uid === ROOT) await giveTo(handle, await ownerOf(path.dirname(file)));
}
