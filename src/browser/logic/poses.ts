/** How the head is held in the pictures of an enrolment, in the order in which they are asked for. */
export const POSES = ['straight', 'left', 'right', 'up'] as const;
/** Left and right are those of the person in the picture. */
export type Pose = (typeof POSES)[number];

/** Degrees, as the server measures them: positive yaw is to the person's left, positive pitch is down. */
export interface Angles {
  yaw: number;
  pitch: number;
}

/**
 * Degrees. The server's angles are some ten degrees off, and a nose's length shows as pitch: after the straight picture, turns
 * are measured from it. The largest ones are well inside the server's own limits (MAX_YAW 65, MAX_PITCH 45), and small
 * enough that the pictures are as near to one another as two straight ones of different days.
 */
const DEGREES = {
  straight: { yaw: 12, pitch: 22 },
  /** To a side. */
  turn: { least: 13, most: 40 },
  up: { least: 9, most: 36 },
  /** How far a head that turns may sway the other way. */
  sway: 15,
};

/**
 * @param from the angles of the straight picture; undefined until it is taken
 * @returns undefined between two poses, and for a head that is turned too far
 */
export function poseOf({ yaw, pitch }: Angles, from: Angles | undefined): Pose | undefined {
  const { straight, turn, up, sway } = DEGREES;
  if (!from)
    return Math.abs(yaw) <= straight.yaw && Math.abs(pitch) <= straight.pitch ? 'straight' : undefined;
  const turned = yaw - from.yaw;
  const raised = from.pitch - pitch;
  if (Math.abs(turned) >= turn.least) {
    const isGentle = Math.abs(yaw) <= turn.most && Math.abs(raised) <= sway;
    return isGentle ? (turned > 0 ? 'left' : 'right') : undefined;
  }
  if (raised >= up.least) return Math.abs(pitch) <= up.most ? 'up' : undefined;
  return Math.abs(raised) < up.least ? 'straight' : undefined;
}
