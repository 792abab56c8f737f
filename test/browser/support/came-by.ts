import type { VisitPart } from '../../../src/sightings/types.js';
import { unitVector } from '../../support/app.js';
import type { AppSite } from './app-site.js';
import { drawCrop, type Portrait, PORTRAITS } from './portrait.js';

const MINUTE = 60_000;
/** The first minute of the day, where the test runs. */
export const dayBegins = (): number => new Date().setHours(0, 1, 0, 0);

let parts = 0;

export interface Came {
  faceid?: string;
  /** Minutes after the first minute of the day; less than none: the days before. */
  at: number;
  deviceid?: string;
  /** Of a stranger's face, which tells strangers apart. */
  far?: number;
  /** How far the named face is from Ken's. */
  near?: number;
  isEnded?: boolean;
  portrait?: Portrait;
}

/** Writes visits as a worker does. */
export async function come(site: Pick<AppSite, 'sightings'>, ...came: Came[]): Promise<void> {
  const made = await Promise.all(came.map(toPart));
  const store = site.sightings?.store;
  await store?.ask('writeParts', made, Date.now());
  await store?.ask('closeVisits', Date.now());
}

async function toPart({
  faceid,
  at,
  deviceid = 'door',
  far = 3,
  near = 0,
  isEnded = true,
  portrait = PORTRAITS.hana,
}: Came): Promise<VisitPart> {
  const first = dayBegins() + at * MINUTE;
  const vote = { weight: 100, distance: 0.2, odds: 5, oddsAtMost: false };
  const look = { size: 120, sharpness: 80, yaw: 0, pitch: 0, roll: 0 };
  const vector = unitVector(faceid === undefined ? far : near);
  return {
    // Long enough over that a visit is not joined with the next one.
    ...{ uid: `w.${++parts}`, deviceid, first, last: first + 20_000, frames: 40, fits: 20, isEnded },
    votes: faceid === undefined ? [] : [{ faceid, ...vote }],
    nobody: faceid === undefined ? 100 : 0,
    best: { score: 0.9, vector, crop: await drawCrop(portrait), ...look },
  };
}
