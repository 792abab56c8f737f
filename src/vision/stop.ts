import { KaomonError } from '../platform/errors.js';

/** Shared by the caller and the threads that work on a picture: not 0 once nobody waits for it any more. */
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

/** Between two parts of the work on a picture. @throws KaomonError CLIENT_GONE */
export function throwIfStopped(flag: Stop | undefined): void {
  if (isStopped(flag)) throw new KaomonError('CLIENT_GONE', 'The client has hung up.');
}
