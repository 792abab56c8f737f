import type { Stop } from '../stop.js';
import type { Detection, KnownFace, Picture } from '../types.js';

export interface DetectOptions {
  /** Shorter side of the smallest face to answer, pixels. */
  minFaceSize?: number;
  /** Smallest probability to answer, 0 to 1; default: the detector's own. */
  minProbability?: number;
  /** The largest so many get everything that is computed face by face, the others box and probability. Default: all. */
  most?: number;
  /** Looked at between parts of the work: KaomonError CLIENT_GONE. */
  stop?: Stop;
  /** Whether a picture without a sure face is looked at once more, in a border, for one that fills it. Default true. */
  closeUps?: boolean;
}

/** Finds faces. One call at a time: detectors keep their buffers between calls. */
export interface Detector {
  /** @returns the faces, largest first; the picture is only read */
  detect(picture: Picture, options?: DetectOptions): Promise<Detection[]>;
  /**
   * Looks for faces of the frame before near where they were.
   * @returns where each is now, in the same order; undefined for one that is not there any more
   */
  follow(picture: Picture, faces: readonly KnownFace[]): Promise<(Detection | undefined)[]>;
  release(): Promise<void>;
}

/** Order of the answers: by area, largest first. */
export function largestFirst(a: Detection, b: Detection): number {
  return area(b) - area(a);
}

function area({ box }: Detection): number {
  return (box.x2 - box.x1) * (box.y2 - box.y1);
}
