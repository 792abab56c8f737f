import path from 'node:path';
import { makeFolder } from '../platform/files/durable.js';
import { underLock } from '../platform/files/lock.js';

/**
 * Does the work while nobody else does it, again and again until the signal. The work ends soon after its own signal.
 * Rejects when it cannot be said whose turn it is.
 */
export type Leadership = (
  work: (signal: AbortSignal) => Promise<void>,
  /** pause: between two looks whether it is this process's turn, milliseconds */
  options: { signal: AbortSignal; pause: number },
) => Promise<void>;

/** Among the processes of one machine: when one dies, the kernel gives its lock free. */
export function lockLeadership(folder: string): Leadership {
  return async (work, { signal, pause }) => {
    await makeFolder(folder);
    await underLock(path.join(folder, 'lock'), () => work(signal), { pause, signal });
  };
}
