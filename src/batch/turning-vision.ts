import sharp from 'sharp';
import type { Analysis, AnalyzeOptions, VisionPool } from '../vision/types.js';

/** Tried in this order when no face is found upright; of those that show one the surest is taken. */
const TURNS = [90, 270, 180] as const;
/** A face that is tilted by more lies on its side or stands on its head, degrees. */
const LYING = 60;

/**
 * Looks at scans and old photographs, which may lie on their side: where no face stands upright the picture is turned.
 * @param maxPixels of the largest picture
 */
export function createTurningVision(vision: Pick<VisionPool, 'analyze'>, maxPixels: number) {
  return {
    /** @returns as VisionPool.analyze, of the turned picture, with the clockwise degrees that it was turned by */
    async analyze(bytes: Uint8Array, options?: AnalyzeOptions): Promise<Analysis & { turned?: number }> {
      // A copy: the pool takes the buffer it is given.
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

/** How a face lies: 0, 90, 180 or 270 degrees clockwise, whichever is nearest. */
const quartersOf = (roll = 0) => (Math.abs(roll) > LYING ? ((Math.round(roll / 90) + 4) % 4) * 90 : 0);

/** The picture turned clockwise, after its EXIF orientation was applied, without loss. */
async function turn(bytes: Uint8Array, degrees: number, maxPixels: number): Promise<Uint8Array> {
  // It was read before: what is wrong with its end is not worth a refusal here.
  const image = sharp(bytes, { failOn: 'none', limitInputPixels: maxPixels, ignoreIcc: true });
  const png = await image.autoOrient().rotate(degrees).png({ compressionLevel: 1 }).toBuffer();
  return new Uint8Array(png);
}
