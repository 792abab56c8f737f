import { statSync, type Stats } from 'node:fs';
import type { Layout } from './file-layout.js';
import type { Stamp } from './store.js';

/**
 * When a person's files were changed. Besides the folder, each file counts: writing into one does not change its folder's
 * date. The dates of change (ctime) cannot be set back by whoever copies files with their dates. A sum, unlike the latest
 * date, differs even when the clock was set back. Synchronous, which takes a third of the time: for a process of its own.
 * @returns undefined when there is no such folder, or it may not be looked into
 */
export function stampOf(layout: Layout, faceid: string, faces: readonly string[]): Stamp | undefined {
  const folder = look(layout.personFolder(faceid));
  if (!folder?.isDirectory()) return undefined;
  const stamp: Stamp = { modified: folder.mtimeMs, changed: folder.ctimeMs, newest: folder.ctimeMs };
  const files = [layout.personFile(faceid), ...faces.map((id) => layout.vectorFile({ faceid, id }))];
  for (const file of files) {
    const found = look(file);
    stamp.modified += found?.mtimeMs ?? 0;
    stamp.changed += found?.ctimeMs ?? 0;
    stamp.newest = Math.max(stamp.newest, found?.ctimeMs ?? 0, found?.mtimeMs ?? 0);
  }
  return stamp;
}

function look(file: string): Stats | undefined {
  try {
    return statSync(file, { throwIfNoEntry: false });
  } catch {
    // What may not be read: the store reports it when the person is read.
    return undefined;
  }
}
