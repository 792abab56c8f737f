/**
 * What the stage can truthfully say of itself. `faces` and `nobody` only after an answer to a frame of the picture that
 * is seen now.
 */
export type StageState =
  'starting' | 'no-camera' | 'server-away' | 'server-busy' | 'paused' | 'looking' | 'faces' | 'nobody';

interface StageFacts {
  camera: 'starting' | 'live' | 'none';
  server: 'connecting' | 'open' | 'busy' | 'gone';
  frozen: boolean;
  /** How many faces the last answer found; undefined: there is no answer that still holds. */
  found: number | undefined;
}

/** The camera comes first: without a picture there is nothing to send. A frozen picture needs no server. */
export function stageState({ camera, server, frozen, found }: StageFacts): StageState {
  if (camera === 'none') return 'no-camera';
  if (frozen) return 'paused';
  if (server === 'gone') return 'server-away';
  if (server === 'busy') return 'server-busy';
  if (camera === 'starting' || server === 'connecting') return 'starting';
  if (found === undefined) return 'looking';
  return found > 0 ? 'faces' : 'nobody';
}

/** An answer holds for this long, milliseconds, or for two round trips of a slow server. */
const HOLDS = 4000;

/** Whether boxes of an answer may still be shown over the live picture. @param age milliseconds */
export function stillHolds(age: number, roundTrip: number): boolean {
  return age <= Math.max(HOLDS, 2 * roundTrip);
}
