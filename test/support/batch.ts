import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { createFileStore } from '../../src/gallery/store/file-store.js';
import { createGallery } from '../../src/gallery/gallery.js';
import { createExactIndex } from '../../src/gallery/index/exact-index.js';
import type { Gallery } from '../../src/gallery/types.js';
import type { EnrolLimits } from '../../src/identity/fit-to-enrol.js';
import { decodeImage } from '../../src/vision/image.js';
import type { AnalysedFace, VisionPool } from '../../src/vision/types.js';
import { randomUnitVector, seededRandom } from './vectors.js';
import { everybody } from './galleries.js';

const LENGTH = 8;

export const LIMITS: EnrolLimits = { minSize: 40, minSharpness: 0, maxYaw: 180, maxPitch: 180, maxRoll: 180 };

/** Of a run over made pictures. */
export const SETTINGS = {
  limits: LIMITS,
  decision: { threshold: () => 0.5, apart: () => 0.5 },
  // Of so many vectors of eight numbers some lie near each other.
  force: true,
  keepFaces: false,
  maxPixels: 1e6,
  inFlight: 3,
};

/** What a made picture holds; its red channel says it, green and blue which face it is. */
export const KINDS = ['face', 'none', 'several', 'small', 'lying', 'damaged'] as const;
export type Kind = (typeof KINDS)[number];

/** Writes a made picture. One that lies on its side is taller than wide until it is turned. */
export async function writePicture(file: string, kind: Kind, face: number): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  const colour = { r: KINDS.indexOf(kind) * 40, g: face >> 8, b: face & 255 };
  const lying = kind === 'lying';
  const [width, height] = lying ? [16, 24] : [24, 16];
  const png = await sharp({ create: { width, height, channels: 3, background: colour } })
    .png()
    .toBuffer();
  await writeFile(file, kind === 'damaged' ? png.subarray(0, 60) : png);
}

/** A vision that sees in made pictures what `writePicture` put there. */
export function madeVision(): Pick<VisionPool, 'analyze'> {
  return {
    async analyze(bytes) {
      const { data, width, height } = await decodeImage(bytes, { maxPixels: 1e6 });
      const [red, green, blue] = data;
      const kind = KINDS[Math.round(red / 40)];
      const found = (size: number, probability = 0.9): AnalysedFace => ({
        box: { x1: 0, y1: 0, x2: size, y2: size },
        probability,
        landmarks: undefined,
        embedding: randomUnitVector(seededRandom(green * 256 + blue), LENGTH),
      });
      const faces: Record<Kind, AnalysedFace[]> = {
        face: [found(100)],
        none: [],
        several: [found(100), found(90)],
        small: [found(20)],
        lying: width > height ? [found(100)] : [],
        damaged: [],
      };
      const times = { queue: 0, decode: 0, detect: 0, embed: 0 };
      // As if it were larger: faces lie in it whole.
      return { width: 200, height: 200, faces: faces[kind], times };
    },
  };
}

/** A gallery of its own in a folder. */
export async function madeGallery(folder: string): Promise<Gallery> {
  const store = createFileStore({ folder, pack: 'tiny', length: LENGTH, warn: () => undefined });
  return await createGallery({ pack: 'tiny', store, index: createExactIndex(LENGTH) });
}

/** Who is enrolled with which vectors, whatever the order and the times: two runs compare by it. */
export async function contentOf(gallery: Gallery): Promise<Record<string, string[]>> {
  const content: Record<string, string[]> = {};
  for (const { faceid, username } of await everybody(gallery)) {
    const vectors = (await gallery.vectors(faceid)).map(({ vector }) =>
      [...vector].map((v) => v.toFixed(6)).join(),
    );
    content[`${faceid} (${username})`] = vectors.sort();
  }
  return content;
}
