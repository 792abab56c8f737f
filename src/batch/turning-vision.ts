import sharp from 'sharp';
import type { Analysis, AnalyzeOptions, VisionPool } from '../vision/types.js';

/** Turns that are tried when no face is found upright; the one with the most probable face wins. */
const TURNS = [90, 270, 180] as const;
/** A face that is tilted by more is on its side or upside down, degrees. */
const LYING = 60;

/**
 * Analyses scans and old photographs, which may lie on their side: without an upright face the picture is turned.
 * @param maxPixels the largest picture
 */
export function createTurningVision(vision: Pick<VisionPool, 'analyze'>, maxPixels: number) {
  return {
    /** @returns as VisionPool.analyze, of the turned picture; `turned`: by how many degrees clockwise */
    async analyze(bytes: Uint8Array, options?: AnalyzeOptions): Promise<Analysis & { turned?: number }> {
      // A copy, because the pool transfers the buffer.
      const asItIs = await vision.analyze(bytes.slice(), options);
      const lies = quartersOf(asItIs.faces.at(0)?.quality?.roll);
      if (asItIs.faces.length > 0 && lies === 0) return asItIs;
      let best: Analysis & { turned?: number } = asItIs;
      let surest = 0;
      for (const turned of lies === 0 ? TURNS : [360 - lies]) {
        const analysis = await vision.analyze(await turn(bytes, turned, maxPixels), options);
        const probability = analysis.faces.at(0)?.probability ?? 0;
        if (probability > surest) [best, surest] = [{ ...analysis, turned }, probability];
      }
      return best;
    },
  };
}

/** A face's roll, rounded to 0, 90, 180 or 270 degrees clockwise. */
const quartersOf = (roll = 0) => (Math.abs(roll) > LYING ? ((Math.round(roll / 90) + 4) % 4) * 90 : 0);

/** Turns the picture clockwise, after applying its EXIF orientation, without loss. */
async function turn(bytes: Uint8Array, degrees: number, maxPixels: number): Promise<Uint8Array> {
  // A damaged end is tolerated: analyze() has accepted the picture.
  const image = sharp(bytes, { failOn: 'none', limitInputPixels: maxPixels, ignoreIcc: true });
  const png = await image.autoOrient().rotate(degrees).png({ compressionLevel: 1 }).toBuffer();
  return new Uint8Array(png);
}
