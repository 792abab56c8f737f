/** Which face of a picture is enrolled or compared, and what quality it must have (docs/quality.md). */
import { KaomonError } from '../platform/errors.js';
import { FLOORS } from '../vision/fitness.js';
import type { AnalysedFace, Analysis } from '../vision/types.js';

/**
 * A face in the background does not prevent an enrolment: its shorter side is less than this share of the largest face's.
 * Of larger ones it is not clear which is meant.
 */
const BACKGROUND = 0.5;
/** Nor does one cut off by the picture's edge: less than this share of its box is inside. */
const INSIDE = 0.8;
/** Nor one that the edge touches (less than `inside` of it is inside), unless it has this share of the largest one's size. */
const TOUCHED = { inside: 0.97, size: 0.75 };

/** The quality that an enrolment needs: the settings MIN_ENROL_SIZE, MIN_SHARPNESS, MAX_YAW, ... (docs/quality.md). */
export interface EnrolLimits {
  /** Shorter side of the smallest face, pixels. */
  minSize: number;
  /** Variance of the Laplacian (see Quality.sharpness). */
  minSharpness: number;
  /** Head turns to either side, degrees; checked where the detector gives landmarks. */
  maxYaw: number;
  maxPitch: number;
  maxRoll: number;
}

/** The share of a face's box that lies in the picture, 0 to 1. */
function partInside({ box }: AnalysedFace, { width, height }: PictureSize): number {
  const along = (from: number, to: number, length: number) =>
    Math.max(0, Math.min(to, length) - Math.max(from, 0)) / (to - from);
  return along(box.x1, box.x2, width) * along(box.y1, box.y2, height);
}

/** Whether enough of a face is in the picture for it to be meant. @param size its side as a share of the largest face's */
function isInside(face: AnalysedFace, size: number, picture: PictureSize): boolean {
  const part = partInside(face, picture);
  return part >= TOUCHED.inside || (part >= INSIDE && size >= TOUCHED.size);
}

type PictureSize = Pick<Analysis, 'width' | 'height'>;

const shorterSide = ({ box }: Pick<AnalysedFace, 'box'>) => Math.min(box.x2 - box.x1, box.y2 - box.y1);

/**
 * The one face that is meant.
 * @param faces of the picture, largest first
 * @throws KaomonError NO_FACE, SEVERAL_FACES
 */
export function chooseFace({ faces, ...picture }: PictureSize & Pick<Analysis, 'faces'>): AnalysedFace {
  const [face] = faces;
  if (faces.length === 0) {
    throw new KaomonError('NO_FACE', 'No face was found: come closer, face the camera and mind the light.');
  }
  const meant = faces.filter(
    (other) =>
      other === face ||
      (shorterSide(other) >= shorterSide(face) * BACKGROUND &&
        isInside(other, shorterSide(other) / shorterSide(face), picture)),
  );
  if (meant.length > 1) {
    throw new KaomonError(
      'SEVERAL_FACES',
      `${meant.length} faces were found: only the one to enrol may be in the picture.`,
      { details: { faces: meant.length } },
    );
  }
  return face;
}

/**
 * Refuses a face by which nobody can be identified, whatever the settings say.
 * @throws KaomonError FACE_TOO_SMALL, FACE_BLURRED, FACE_TURNED
 */
export function refuseUnfit({ quality, unfit }: Partial<Pick<AnalysedFace, 'quality' | 'unfit'>>): void {
  if (!unfit) return;
  const size = Math.round(quality?.size ?? 0);
  const sharpness = Math.round((quality?.sharpness ?? 0) * 10) / 10;
  const { code, message, details } = {
    too_small: {
      code: 'FACE_TOO_SMALL' as const,
      message: `The face is ${size} pixels wide; by fewer than ${FLOORS.size} nobody can be told apart: come closer.`,
      details: { size, minimum: FLOORS.size },
    },
    too_blurred: {
      code: 'FACE_BLURRED' as const,
      message: `The face is too blurred, or the picture compressed too strongly, to tell it apart (sharpness ${sharpness}): hold still, mind the light and the focus, and send the picture as the camera made it.`,
      details: { sharpness },
    },
    turned: {
      code: 'FACE_TURNED' as const,
      message: 'The face lies on its side or stands on its head: turn the picture upright.',
      details: { axis: 'roll' },
    },
  }[unfit];
  throw new KaomonError(code, message, { details });
}

/**
 * Refuses a face that is too small, too blurred or turned away, because it will be compared with for years. What was not
 * measured, as for an embedding whose picture is elsewhere, is not checked.
 * @throws KaomonError FACE_TOO_SMALL, FACE_BLURRED, FACE_TURNED, with the measured value and the limit
 */
export function checkFace(
  { box, quality, unfit }: Partial<Pick<AnalysedFace, 'box' | 'quality' | 'unfit'>>,
  limits: EnrolLimits,
): void {
  const size = box ? Math.round(shorterSide({ box })) : Infinity;
  if (size < limits.minSize) {
    throw new KaomonError(
      'FACE_TOO_SMALL',
      `The face is ${size} pixels wide, at least ${limits.minSize} are needed: come closer.`,
      { details: { size, minimum: limits.minSize } },
    );
  }
  refuseUnfit({ quality, unfit });
  if (!quality) return;
  const sharpness = Math.round(quality.sharpness * 10) / 10;
  if (quality.sharpness < limits.minSharpness) {
    throw new KaomonError(
      'FACE_BLURRED',
      `The face is blurred (sharpness ${sharpness}, at least ${limits.minSharpness} is needed): hold still, mind the light and the focus.`,
      { details: { sharpness, minimum: limits.minSharpness } },
    );
  }
  const turns = [
    {
      axis: 'yaw',
      value: quality.yaw,
      maximum: limits.maxYaw,
      advice: 'to the side: look straight at the camera',
    },
    {
      axis: 'pitch',
      value: quality.pitch,
      maximum: limits.maxPitch,
      advice: 'up or down: look straight at the camera',
    },
    {
      axis: 'roll',
      value: quality.roll,
      maximum: limits.maxRoll,
      advice: 'tilted: hold the head, or the camera, upright',
    },
  ];
  for (const { axis, value, maximum, advice } of turns) {
    if (value === undefined || Math.abs(value) <= maximum) continue;
    const degrees = Math.round(value);
    throw new KaomonError(
      'FACE_TURNED',
      `The face is turned ${Math.abs(degrees)} degrees, at most ${maximum} are taken, ${advice}.`,
      { details: { axis, degrees, maximum } },
    );
  }
}
