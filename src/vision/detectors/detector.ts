import type { Stop } from '../stop.js';
import type { Detection, KnownFace, Picture } from '../types.js';

export interface DetectOptions {
  /** Shorter side of the smallest face to answer, pixels. */
  minFaceSize?: number;
  /** Smallest probability to answer, 0 to 1. Default: the detector's own. */
  minProbability?: number;
  /** The most faces, the largest ones, to compute landmarks for; the others get box and probability. Default: all. */
  most?: number;
  /** Checked between parts of the work, which then throws CLIENT_GONE. */
  stop?: Stop;
  /** Search a picture without a sure face again, with a border, for a face that fills it. Default true. */
  closeUps?: boolean;
}

/** Finds faces. One call at a time, because detectors reuse their buffers. */
export interface Detector {
  /** @returns the faces, largest first; the picture is only read */
  detect(picture: Picture, options?: DetectOptions): Promise<Detection[]>;
  /**
   * Looks for faces of the previous frame near their places in it.
   * @returns each face now, in the same order; undefined when it is gone
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
