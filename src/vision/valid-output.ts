import { KaomonError } from '../platform/errors.js';
import { clampToPicture } from './boxes.js';
import type { Detection } from './types.js';

/**
 * Refuses NaN, infinity or zeros from a network that passed its self-check: a GPU was reset, or memory fails. Passed on,
 * they would become null in JSON, or an embedding that matches everybody.
 * @throws KaomonError INTERNAL
 */
export function refuseInvalidOutput(network: string): never {
  throw new KaomonError(
    'INTERNAL',
    `The network ${network} answers NaN, infinity or zeros, though it answered correctly at the start: a GPU or its driver has failed (see refusedProviders in /api/v1/health), or this machine's memory.`,
  );
}

/**
 * A detector's faces that lie in the picture.
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
