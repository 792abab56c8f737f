/** Where tests make their files. Node's own modules only. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
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
    if (pid && !isAlive(Number(pid))) removeLeft(path.join(place, name));
  }
  const folder = path.join(place, `kaomon-tests-${process.pid}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { mode: 0o700 });
  process.env.TMPDIR = folder;
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
}

/**
 * Removes what a killed run has left, and the small disks that are mounted in it: else nobody could run tests any more.
 * @param {string} folder
 */
function removeLeft(folder) {
  const mounts = process.platform === 'linux' ? readFileSync('/proc/mounts', 'utf8').split('\n') : [];
  for (const at of mounts.map((line) => line.split(' ')[1] ?? ''))
    if (at.startsWith(`${folder}/`)) spawnSync('umount', [at]);
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch (error) {
    process.stderr.write(`What a killed run has left cannot be removed: ${String(error)}\n`);
  }
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
