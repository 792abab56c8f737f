import { KaomonError } from '../platform/errors.js';
import { clampToPicture } from './boxes.js';
import type { Detection } from './types.js';

/**
 * A network that answered rightly when it was opened answers NaN, infinity or zeros: a GPU was reset, or memory fails.
 * Passed on, that would be a null in somebody's JSON, or a vector that is near to everybody.
 * @throws KaomonError INTERNAL
 */
export function refuseInvalidOutput(network: string): never {
  throw new KaomonError(
    'INTERNAL',
    `The network ${network} answers NaN, infinity or zeros, though it answered rightly at the start: a GPU or its driver has failed (see refusedProviders in /api/v1/health), or this machine's memory.`,
  );
}

/**
 * Those of a detector's faces that lie in the picture.
 * @throws KaomonError INTERNAL for a box, a probability or a landmark that is not finite
 */
export function onlyValid<T extends { detection: Detection }>(
  found: readonly T[],
  picture: { width: number; height: number },
): T[] {
  return found.filter(({ detection }) => {
    const { box, probability, landmarks, landmarks68 } = detection;
    let sum = box.x1 + box.y1 + box.x2 + box.y2 + probability;
    for (const value of landmarks ?? []) sum += value;
    for (const value of landmarks68 ?? []) sum += value;
    if (!Number.isFinite(sum)) refuseInvalidOutput('detector');
    return clampToPicture(box, picture) !== undefined;
  });
}
