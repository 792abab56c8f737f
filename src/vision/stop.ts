import { clientGone } from '../platform/errors.js';

/** A flag shared with the threads that process a picture: not 0 once its answer is no longer wanted. */
export type Stop = Int32Array;

export function createStop(): Stop {
  return new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
}

export function stop(flag: Stop): void {
  Atomics.store(flag, 0, 1);
}

export function isStopped(flag: Stop | undefined): boolean {
  return flag !== undefined && Atomics.load(flag, 0) !== 0;
}

/** Called between two parts of the work on a picture. @throws KaomonError CLIENT_GONE */
export function throwIfStopped(flag: Stop | undefined): void {
  if (isStopped(flag)) throw clientGone();
}
