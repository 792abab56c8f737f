import type { Sightings } from '../../src/sightings/open.js';
import type { VisitPart, Vote } from '../../src/sightings/types.js';
import { unitVector } from './app.js';

/** When the visits of these tests begin. */
export const NOON = Date.parse('2026-11-27T12:00:00Z');

export const vote = (faceid: string, weight = 100, distance = 0.2): Vote => ({
  ...{ faceid, weight, distance, odds: 5, oddsAtMost: false },
});

/** A part of a visit of `g-ann`. @param far the face's distance to `unitVector(0)` */
export const part = (uid: string, more: Partial<VisitPart> = {}, far = 0): VisitPart => ({
  ...{ uid, deviceid: 'door', first: NOON, last: NOON + 5000, frames: 10, fits: 5, nobody: 0 },
  isEnded: false,
  votes: [vote('g-ann')],
  best: bestFace(far),
  ...more,
});

export const bestFace = (far = 0) => ({
  ...{ score: 0.5, vector: unitVector(far), crop: Uint8Array.of(1, 2, 3) },
  ...{ size: 100, sharpness: 50, yaw: 0, pitch: 0, roll: 0 },
});

/** What a stranger's part has. */
export const STRANGER = { votes: [], nobody: 100 };

/** Keeps a visit that is over. @returns its ID */
export async function keepVisit(
  { store }: Pick<Sightings, 'store'>,
  uid: string,
  more: Partial<VisitPart> = {},
  far = 0,
): Promise<number> {
  await store.ask('writeParts', [part(uid, { isEnded: true, ...more }, far)], NOON);
  await store.ask('closeVisits', Date.now() + 60_000);
  const all = await store.ask('sightings', {}, undefined, 10_000);
  return Math.max(...all.map(({ id }) => id));
}
