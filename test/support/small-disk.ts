import { spawnSync } from 'node:child_process';
import { open, rm, statfs } from 'node:fs/promises';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { temporaryFolder } from './temporary.js';

const mount = (...words: string[]) => spawnSync('mount', words).status === 0;
const unmount = (place: string) => spawnSync('umount', ['-l', place]).status === 0;

/** False when a disk of the test's own can be mounted here, else the reason to skip. */
export const NO_SMALL_DISK: false | string = probe();

function probe(): false | string {
  const place = spawnSync('mktemp', ['-d'], { encoding: 'utf8' }).stdout.trim();
  const works = place !== '' && mount('-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', place) && unmount(place);
  if (place) spawnSync('rmdir', [place]);
  return works ? false : 'needs to mount a small disk (tmpfs), which this user may not';
}

/** A disk of the test's own. */
export interface SmallDisk {
  folder: string;
  /** Fills it to the last byte, as another program does. */
  fill(): Promise<void>;
  /** Removes what filled it. */
  clear(): Promise<void>;
  /** Mounts it again, so that nobody may write on it, or so that one may. */
  remount(how: 'ro' | 'rw'): void;
}

/** @param megabytes of the whole disk */
export async function smallDisk(t: TestContext, megabytes = 2): Promise<SmallDisk> {
  const folder = await temporaryFolder(t);
  if (!mount('-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder))
    throw new Error('It cannot be mounted.');
  t.after(() => unmount(folder));
  const filler = path.join(folder, '.filler');
  return {
    folder,
    async fill() {
      const handle = await open(filler, 'a');
      try {
        for (let bytes = 1 << 16; bytes >= 1;) {
          await handle.write(Buffer.alloc(bytes)).catch(() => (bytes = Math.floor(bytes / 2)));
        }
      } finally {
        await handle.close();
      }
      if ((await statfs(folder)).bavail > 0) throw new Error('There is room left.');
    },
    clear: () => rm(filler, { force: true }),
    remount(how) {
      if (!mount('-o', `remount,${how}`, folder)) throw new Error(`It cannot be mounted ${how}.`);
    },
  };
}
