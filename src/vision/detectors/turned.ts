/**
 * Faces that are not the right way up. A detector finds some faces that are upside down or lie on their side, but gives them
 * the landmarks of an upright face: they look plausible, and nobody is identified by them. Two things show whether a face
 * was read the right way up: MTCNN's last network is nearly certain only of upright faces, and face-api's 68 points only
 * then have the shape of a face (uprightness.ts). So a doubtful face is detected again in squares turned by quarters, and
 * the one with the best score is used. Faces that are not doubtful cost nothing.
 */
import { boxSize, iou } from '../boxes.js';
import { correlation, thumbnailOf } from '../track.js';
import { drawSquare, intoSquare, outOfSquare, rollOf, squareAround } from '../turn.js';
import type { Detection, KnownFace, Picture, TurnedSquare } from '../types.js';
import { uprightness } from './uprightness.js';
import type { Detector } from './detector.js';

/** How to tell whether a detector read a face the right way up. */
export interface UprightCheck {
  /** How well a face was read; higher is better. */
  score: (face: Detection, picture: Picture) => number;
  /** A face with this score is not turned by more than 45 degrees. */
  sure: number;
  /** How much higher another orientation must score. */
  better: number;
  /** The least score of another orientation. */
  least: number;
  /** A face that scores less, and no better at another angle, could not be read: its angle is unknown. */
  readable: number;
}

/** MTCNN's own probability. Of 300 upright faces of Labeled Faces in the Wild two are below, of 68 turned ones one above. */
export const MTCNN_UPRIGHT: UprightCheck = {
  score: ({ probability }) => probability,
  sure: 0.98,
  better: 0.02,
  least: 0.9,
  readable: 0,
};

/** The shape of the 68 points: SSD itself is no surer of an upright face than of one on its head. */
export const SSD_UPRIGHT: UprightCheck = {
  score: (face, picture) => uprightness(face, picture) ?? 1,
  sure: 0.5,
  better: 0.2,
  least: 0.4,
  readable: 0,
};

/** Large tilts are underestimated: a face tilted by more degrees is read again in a square turned with it. */
const TILTED = 20;
/** The most tilt that may remain in a turned square, degrees; with more the face is read again. */
const LEFT_OVER = 12;
const QUARTERS = [180, 90, -90] as const;
/** The square's side as a multiple of the box's longer one, and the most pixels of that in it. */
const SQUARE = { times: 2, pixels: 112 };
/** Where the thumbnails of the face and of its new place correlate by less, the face is gone. */
const GONE = 0.4;

/** Makes a detector read turned faces. For faces that are not doubtful the answer is the detector's own. */
export function withTurns(detector: Detector, check: UprightCheck): Detector {
  let bytes = new Uint8Array(0);

  function draw(picture: Picture, square: TurnedSquare): Picture {
    const length = square.side ** 2 * 3;
    if (bytes.length < length) bytes = new Uint8Array(length);
    return drawSquare(picture, square, bytes);
  }

  /** Detects the face in a turned square. */
  async function readTurned(picture: Picture, face: Detection, degrees: number): Promise<Read | undefined> {
    const square = squareAround(face.box, degrees, SQUARE.times, SQUARE.pixels);
    const drawn = draw(picture, square);
    const { box, probability } = intoSquare(square, face);
    const [read] = await detector.follow(drawn, [{ box, probability, landmarks: undefined, embed: true }]);
    if (!read?.landmarks) return undefined;
    return { square, face: read, score: check.score(read, drawn), leftOver: rollOf(read.landmarks) };
  }

  /** As {@link readTurned}, and again when the face is still tilted there. */
  async function readUpright(picture: Picture, face: Detection, degrees: number): Promise<Read | undefined> {
    const first = await readTurned(picture, face, degrees);
    if (!first || Math.abs(first.leftOver) <= LEFT_OVER) return first;
    const second = await readTurned(picture, face, degrees + first.leftOver);
    return second && second.score >= first.score ? second : first;
  }

  async function turn(picture: Picture, face: Detection): Promise<Detection> {
    if (!face.landmarks) return face;
    const tilt = rollOf(face.landmarks);
    const isTilted = Math.abs(tilt) > TILTED;
    const own = check.score(face, picture);
    // Numbers that are not finite are refused in valid-output.ts.
    if (!Number.isFinite(own + tilt + boxSize(face.box))) return face;
    if (own >= check.sure && !isTilted) return face;
    let best = isTilted ? await readUpright(picture, face, tilt) : undefined;
    if (best && best.score < own) best = undefined;
    if ((best?.score ?? own) >= check.sure) return best ? take(face, best) : face;
    let other = -Infinity;
    for (const degrees of QUARTERS) {
      const read = await readUpright(picture, face, degrees);
      const than = best?.score ?? own;
      if (read) other = Math.max(other, read.score);
      if (read && read.score >= check.least && read.score > than + (best?.isQuarter ? 0 : check.better))
        best = { ...read, isQuarter: true };
    }
    if (best) return take(face, best);
    return own < check.readable || other > own ? { ...face, isUnread: true } : face;
  }

  /** Follows a face that was turned in the previous frame. */
  async function followTurned(picture: Picture, known: KnownFace): Promise<Detection | undefined> {
    const { box, probability, landmarks, thumbnail } = known;
    const face = { box, probability, landmarks };
    const read = landmarks && (await readTurned(picture, face, rollOf(landmarks)));
    if (!read || read.score < check.least) return undefined;
    const there = take(face, read);
    return thumbnail && correlation(thumbnail, thumbnailOf(picture, there)) < GONE ? undefined : there;
  }

  return {
    async detect(picture, options = {}) {
      const found = await detector.detect(picture, options);
      for (const [i, face] of found.entries()) {
        if (i >= (options.most ?? Infinity)) break;
        found[i] = await turn(picture, face);
      }
      return found;
    },

    async follow(picture, faces) {
      const isTurned = ({ landmarks }: KnownFace) =>
        landmarks !== undefined && Math.abs(rollOf(landmarks)) > TILTED;
      const upright = faces.filter((face) => !isTurned(face));
      const followed = upright.length > 0 ? await detector.follow(picture, upright) : [];
      const found: (Detection | undefined)[] = [];
      for (const face of faces) {
        const at = upright.indexOf(face);
        found.push(at >= 0 ? followed[at] : await followTurned(picture, face));
      }
      return found;
    },

    release: () => detector.release(),
  };
}

interface Read {
  square: TurnedSquare;
  /** In pixels of the square. */
  face: Detection;
  score: number;
  /** Degrees that it is tilted by in the square. */
  leftOver: number;
  isQuarter?: boolean;
}

/** @returns the face in pixels of the picture, with the detector's own box when the two are about the same */
function take(face: Detection, { square, face: read }: Read): Detection {
  const there = outOfSquare(square, read);
  const box = iou(face.box, there.box) > 0.5 || boxSize(there.box) <= 0 ? face.box : there.box;
  return { ...there, box, probability: face.probability, turned: { square, face: read } };
}
