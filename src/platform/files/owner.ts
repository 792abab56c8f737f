/**
 * Whose a file is. A command that root runs beside a service (`sudo kaomon keys add`) must not leave files that the
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
 * Whose a file that is about to be written has to be: its owner's, and a new one its folder's.
 * @returns undefined when it becomes that by itself: this process is not root's, or root is whose it is
 */
export async function ownerOf(file: string): Promise<Owner | undefined> {
  if (!isRoot()) return undefined;
  const there = await stat(file).catch(() => stat(path.dirname(file)).catch(() => undefined));
  return there && there.uid !== ROOT ? { uid: there.uid, gid: there.gid } : undefined;
}

/** Gives a file that is being written to whom it belongs; where nobody can be given anything (NFS), it stays as it is. */
export async function giveTo(handle: FileHandle, owner: Owner | undefined): Promise<void> {
  if (owner) await handle.chown(owner.uid, owner.gid).catch(() => undefined);
}

/** Gives a file or folder that was just made to whom its folder belongs. */
export async function giveToFolder(made: string): Promise<void> {
  const owner = await ownerOf(path.dirname(made));
  if (owner) await chown(made, owner.uid, owner.gid).catch(() => undefined);
}

/** As {@link giveToFolder}, for a file that was opened to be appended to: one that has anything in it is somebody's. */
export async function giveIfNew(handle: FileHandle, file: string): Promise<void> {
  if (!isRoot()) return;
  const { size, uid } = await handle.stat();
  if (size === 0 && uid === ROOT) await giveTo(handle, await ownerOf(path.dirname(file)));
}
