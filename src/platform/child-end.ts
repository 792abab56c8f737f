import type { ChildProcess } from 'node:child_process';

/** How long the end of its standard error is waited for, milliseconds. */
const LAST_WORDS = 200;

/**
 * Tells once, some time after a child has ended, how: its exit code or the signal, in words. The end of its standard error
 * comes after its exit, or never: somebody else may hold it open, and Node tells of none after a disconnection before the
 * child was up. A process that did not start does not exit.
 */
export function onceEnded(child: ChildProcess, told: (how: string) => void): void {
  child.once('exit', (code, signal) => {
    let isTold = false;
    const tell = () => {
      if (!isTold) told(signal ?? `exit code ${code ?? 'unknown'}`);
      isTold = true;
    };
    child.once('close', tell);
    setTimeout(tell, LAST_WORDS);
  });
}
