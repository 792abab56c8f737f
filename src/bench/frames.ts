import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { PROJECT_ROOT } from '../root.js';
import { fnv1a, mulberry32 } from './seeded-weights.js';

/** A 960x540 JPEG. */
export interface Frame {
  readonly name: string;
  readonly bytes: Buffer;
}

const SHARED = path.resolve(PROJECT_ROOT, '..', 'shared');
const FRAMES = {
  'no face': 'empty',
  '1 face': 'paul_rudd',
  '6 faces': 'multiface',
  '32 faces': 'crowd32',
} as const;
export type FrameName = keyof typeof FRAMES;

/** The folder of the published MTCNN weights beside the checkout, or undefined. */
export function sharedMtcnn(): string | undefined {
  const folder = path.join(SHARED, 'weights', 'mtcnn');
  return existsSync(folder) ? folder : undefined;
}

/** The frames of the reference data, or made ones, in which nobody is. */
export async function loadFrames(): Promise<{ frames: Frame[]; made: boolean }> {
  const folder = path.join(SHARED, 'images', 'frames');
  const made = !existsSync(folder);
  const frames = await Promise.all(
    Object.entries(FRAMES).map(async ([name, file]) => ({
      name,
      bytes: made ? await makeFrame(name) : await readFile(path.join(folder, `${file}.jpg`)),
    })),
  );
  return { frames, made };
}

/** The same picture in another size, as a camera page sends it. */
export async function resizeFrame(frame: Frame, width: number, height: number): Promise<Buffer> {
  return await sharp(frame.bytes).resize(width, height, { fit: 'fill' }).jpeg({ quality: 85 }).toBuffer();
}

/** Squares of 20 pixels, each of its own colour: as much work to decode and to scale as a photograph. */
export async function makeFrame(name: string): Promise<Buffer> {
  const [width, height, cell] = [960, 540, 20];
  const seed = fnv1a(name);
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i++) {
    const pixel = Math.floor(i / 3);
    const square = Math.floor(pixel / width / cell) * 48 + Math.floor((pixel % width) / cell);
    data[i] = Math.floor(mulberry32(seed, square * 3 + (i % 3)) * 256);
  }
  return await sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 85 })
    .toBuffer();
}
