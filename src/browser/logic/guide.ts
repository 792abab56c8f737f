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
  yaw: 25,
  pitch: 28,
  roll: 20,
};

/** A face smaller than this fraction of the largest one is in the background, as it is for the server. */
const BACKGROUND = 0.5;

/**
 * @param faces of one answer
 * @param frame pixels of the frame that was sent
 * @param camera pixels of the camera's own picture, which is what is kept
 */
export function judge(
  faces: readonly SeenFace[],
  frame: { width: number; height: number },
  camera: { width: number },
): Judgement {
  const side = ({ box }: SeenFace) => Math.min(box.width * frame.width, box.height * frame.height);
  const [face, ...others] = [...faces].sort((a, b) => side(b) - side(a));
  const none = { large: undefined, light: undefined, sharp: undefined, straight: undefined };
  if (faces.length === 0) return { found: false, one: undefined, ...none };
  const { quality } = face;
  const pixels = (side(face) * camera.width) / Math.max(1, frame.width);
  const turned = (angle: number | undefined, most: number) => angle !== undefined && Math.abs(angle) > most;
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
        : !turned(quality?.yaw, LIMITS.yaw) &&
          !turned(quality?.pitch, LIMITS.pitch) &&
          !turned(quality?.roll, LIMITS.roll),
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

interface AutoCaptureOptions {
  /** How long the picture must have been good, milliseconds: until then the face may still be moving. */
  hold?: number;
  /** Between two pictures, milliseconds: three of the same moment are worth no more than one. */
  pause?: number;
}

/** Decides when to take a picture. */
export function createAutoCapture({ hold = 600, pause = 1300 }: AutoCaptureOptions = {}) {
  let since: number | undefined;
  let last = -Infinity;
  return (judgement: Judgement, now: number): boolean => {
    if (!isGood(judgement)) {
      since = undefined;
      return false;
    }
    since ??= now;
    if (now - since < hold || now - last < pause) return false;
    last = now;
    return true;
  };
}
