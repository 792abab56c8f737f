/** Where tests make their files. Node's own modules only. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const NAME = /^kaomon-tests-(\d+)$/;

/**
 * From now on, what this process and its children make in the temporary folder is in one folder, which is removed when
 * this process ends. Leftovers of killed runs are removed now.
 */
export function useTestFolder() {
  const place = tmpdir();
  for (const name of readdirSync(place)) {
    const [, pid] = NAME.exec(name) ?? [];
    if (pid && !isAlive(Number(pid))) rmSync(path.join(place, name), { recursive: true, force: true });
  }
  const folder = path.join(place, `kaomon-tests-${process.pid}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { mode: 0o700 });
  process.env.TMPDIR = folder;
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Another user's process is alive, too.
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}
