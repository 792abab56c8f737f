import { scriptedLoops } from '../../src/vision/pixels.js';
import { below } from './wrong-arguments.js';

/** The summed-area table of a made picture. */
export function sumTableOf(width: number, height: number): Int32Array {
  const data = Uint8Array.from({ length: width * height * 3 }, () => below(256));
  const sums = new Int32Array((width + 1) * (height + 1) * 3 + 1);
  scriptedLoops.sumTable(data, width, height, sums);
  return sums;
}
