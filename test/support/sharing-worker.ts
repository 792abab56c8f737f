/** A thread that shares work, for the tests of src/vision/work-sharing.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { joinWorkSharing, type SharingSlot } from '../../src/vision/work-sharing.js';

export interface SharedJob {
  /** Which slot did each part, plus 1. */
  doneBy: Int32Array;
  /** Signals: see {@link BEGUN}, {@link GO}, {@link ENDED}. */
  signals: Int32Array;
  /** What happens to a part that a helper has taken. */
  helper: 'does it' | 'fails' | 'waits for go';
  /** What the owner does with its first part, once a helper has begun one. */
  owner: 'does it' | 'fails';
}

/** A helper has begun a part. */
export const BEGUN = 0;
/** The helper that waits may go on. */
export const GO = 1;
/** How many parts the helper has ended. */
export const ENDED = 2;
const PATIENCE = 10_000;

/** A part that says who did it; the owner's first one waits until a helper has begun one, if `mustBeHelped`. */
export function sharedPart(slot: number, owns: () => boolean, mustBeHelped: () => boolean) {
  return async ({ doneBy, signals, helper, owner }: SharedJob, index: number): Promise<void> => {
    await Promise.resolve();
    if (owns()) {
      if (mustBeHelped() && Atomics.wait(signals, BEGUN, 0, PATIENCE) === 'timed-out')
        throw new Error('Nobody came to help.');
      if (owner === 'fails') throw new Error('The owner failed.');
    } else {
      Atomics.add(signals, BEGUN, 1);
      Atomics.notify(signals, BEGUN);
      if (helper === 'waits for go') Atomics.wait(signals, GO, 0, 100);
      Atomics.add(signals, ENDED, 1);
      if (helper === 'fails') throw new Error('The helper failed.');
    }
    Atomics.add(doneBy, index, slot + 1);
  };
}

if (parentPort) {
  const place = workerData as SharingSlot;
  const sharing = joinWorkSharing(place);
  sharing.loop(
    sharedPart(
      place.slot,
      () => false,
      () => false,
    ),
  );
  parentPort.once('message', () => {
    sharing.close();
    parentPort?.close();
  });
  parentPort.postMessage('ready');
}
