import { readdirSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A test, or a suite by `node:test` itself. */
export interface Owner {
  after: (job: () => unknown) => unknown;
}

const PREFIX = 'kaomon-test-';
/** The process that made it stands in a folder's name. */
const NAME = new RegExp(`^${PREFIX}(\\d+)-`);

const folders = new Set<string>();

/**
 * A folder of a test's (or a suite's) own. It is removed when the process ends and not after the test: Node runs a test's hooks in
 * the order in which they were made, so that the folder would go first, from under whatever is closed after it. What a
 * process that was killed has left is removed by the next that asks for a folder.
 */
// eslint-disable-next-line @typescript-eslint/no-unused-vars -- the caller says whose it is, should Node mend its order
export async function temporaryFolder(_owner: Owner): Promise<string> {
  const place = tmpdir();
  if (folders.size === 0) {
    removeLeft(place);
    process.once('exit', () => {
      for (const folder of folders) remove(folder);
    });
  }
  const folder = await mkdtemp(path.join(place, `${PREFIX}${process.pid}-`));
  folders.add(folder);
  return folder;
}

/** One that cannot be removed, because a process of the test's is still writing there, keeps no other from going. */
function remove(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  } catch {
    // The next process removes it, or the run of which this was a part.
  }
}

function removeLeft(place: string): void {
  for (const name of readdirSync(place)) {
    const [, pid] = NAME.exec(name) ?? [];
    if (pid && !isAlive(Number(pid))) remove(path.join(place, name));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Another user's is alive, too.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
