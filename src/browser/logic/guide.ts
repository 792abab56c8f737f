import type { SeenFace } from './faces.js';

/** What a good picture needs, in the order in which the guide asks for it. */
export const CHECKS = ['found', 'one', 'large', 'light', 'sharp', 'straight'] as const;
export type Check = (typeof CHECKS)[number];

/** Whether each check passes; undefined where the server did not measure it. */
export type Judgement = Record<Check, boolean | undefined>;

/** Stricter than the server's own limits, so that the server accepts what the guide lets pass. */
const LIMITS = {
  /** Shorter side in the camera's picture, pixels: twice the server's minimum. */
  size: 80,
  sharpness: 20,
  brightness: { least: 45, most: 225 },
  straight: { yaw: 25, pitch: 28, roll: 20 },
  /** Where the head is to be turned gently (logic/poses.ts). */
  turned: { yaw: 40, pitch: 36, roll: 25 },
};

/** A face smaller than this fraction of the largest one is in the background, as it is for the server. */
const BACKGROUND = 0.5;

interface Frame {
  width: number;
  height: number;
}

const sideOf = ({ box }: SeenFace, frame: Frame) =>
  Math.min(box.width * frame.width, box.height * frame.height);

/** The face whose picture would be taken: the largest, as for the server. */
export function mainFace(faces: readonly SeenFace[], frame: Frame): SeenFace | undefined {
  return [...faces].sort((a, b) => sideOf(b, frame) - sideOf(a, frame)).at(0);
}

/**
 * @param faces of one answer
 * @param frame pixels of the frame that was sent
 * @param camera pixels of the camera's own picture, which is what is kept
 * @param turned whether the head may be turned gently
 */
export function judge(
  faces: readonly SeenFace[],
  frame: Frame,
  camera: { width: number },
  turned = false,
): Judgement {
  const side = (face: SeenFace) => sideOf(face, frame);
  const face = mainFace(faces, frame);
  const others = faces.filter((other) => other !== face);
  const none = { large: undefined, light: undefined, sharp: undefined, straight: undefined };
  if (!face) return { found: false, one: undefined, ...none };
  const { quality } = face;
  const pixels = (side(face) * camera.width) / Math.max(1, frame.width);
  const limits = turned ? LIMITS.turned : LIMITS.straight;
  const exceeds = (angle: number | undefined, most: number) => angle !== undefined && Math.abs(angle) > most;
  const posed = quality?.yaw ?? quality?.pitch ?? quality?.roll;
  return {
    found: true,
    one: others.every((other) => side(other) < side(face) * BACKGROUND),
    large: pixels >= LIMITS.size,
    light:
      quality &&
      quality.brightness >= LIMITS.brightness.least &&
      quality.brightness <= LIMITS.brightness.most,
    sharp: quality && quality.sharpness >= LIMITS.sharpness,
    straight:
      posed === undefined
        ? undefined
        : !exceeds(quality?.yaw, limits.yaw) &&
          !exceeds(quality?.pitch, limits.pitch) &&
          !exceeds(quality?.roll, limits.roll),
  };
}

/** Whether the picture may be taken: a face was found and no check fails. */
export function isGood(judgement: Judgement): boolean {
  return CHECKS.every((check) => judgement[check] !== false) && judgement.found === true;
}

/** The first check that fails; undefined when none does. */
export function firstFault(judgement: Judgement): Check | undefined {
  return CHECKS.find((check) => judgement[check] === false);
}
