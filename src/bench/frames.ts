import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import sharp, { type OverlayOptions } from 'sharp';
import { PROJECT_ROOT } from '../platform/root.js';
import { cut, type Part, partAround, SEATS } from './photographs.js';

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

const [WIDTH, HEIGHT] = [960, 540];

/** The folder with the published MTCNN weights beside the checkout, or undefined. */
export function sharedMtcnn(): string | undefined {
  const folder = path.join(SHARED, 'weights', 'mtcnn');
  return existsSync(folder) ? folder : undefined;
}

/** The frames of the reference data, or else frames composed of the photographs that come with face-api. */
export async function loadFrames(): Promise<{ frames: Frame[]; source: string }> {
  const folder = path.join(SHARED, 'images', 'frames');
  const isThere = existsSync(folder);
  const frames = await Promise.all(
    (Object.keys(FRAMES) as FrameName[]).map(async (name) => ({
      name,
      bytes: isThere ? await readFile(path.join(folder, `${FRAMES[name]}.jpg`)) : await composeFrame(name),
    })),
  );
  const source = isThere
    ? 'Frames of the reference data beside the checkout.'
    : 'Frames put together from the photographs of @vladmandic/face-api: compare them with such frames only.';
  return { frames, source };
}

/** The same frame in another size, as a page sends it. */
export async function resizeFrame(frame: Frame, width: number, height: number): Promise<Buffer> {
  return await sharp(frame.bytes).resize(width, height, { fit: 'fill' }).jpeg({ quality: 85 }).toBuffer();
}

/** Composes a frame of the photographs that come with face-api; machines of the same kind get the same bytes. */
export async function composeFrame(name: FrameName): Promise<Buffer> {
  if (name === 'no face') return await toJpeg(await whole(3, NOBODY));
  if (name === '1 face') return await toJpeg(await whole(3, partAround(SEATS[6], 2, WIDTH / HEIGHT)));
  const tiles = name === '6 faces' ? await rows() : await grid();
  const grey = { width: WIDTH, height: HEIGHT, channels: 3, background: '#79838b' } as const;
  return await toJpeg(await sharp({ create: grey }).composite(tiles).png().toBuffer());
}

/** A window and a wall. */
const NOBODY: Part = { left: 0, top: 0, width: 528, height: 297 };

/** Three people above three. */
function rows(): Promise<OverlayOptions[]> {
  const parts = [
    { number: 1, part: { left: 0, top: 150, width: 1920, height: 540 } },
    { number: 3, part: { left: 0, top: 130, width: 1920, height: 540 } },
  ];
  return Promise.all(
    parts.map(async ({ number, part }, row) => ({
      input: await cut(number, part)
        .resize(WIDTH, HEIGHT / 2)
        .png()
        .toBuffer(),
      ...{ left: 0, top: (row * HEIGHT) / 2 },
    })),
  );
}

/** Eight by four faces of people who do not look away; some appear twice, mirrored. */
function grid(): Promise<OverlayOptions[]> {
  const [width, height] = [WIDTH / 8, HEIGHT / 4];
  const seats = SEATS.filter((_, i) => i !== 3 && i !== 4);
  return Promise.all(
    Array.from({ length: 32 }, async (_, i) => {
      const seat = seats[i % seats.length];
      const picture = cut(seat.photograph, partAround(seat, 1.8, width / height)).resize(width, height);
      const input = await (i < seats.length ? picture : picture.flop()).png().toBuffer();
      return { input, left: (i % 8) * width, top: Math.floor(i / 8) * height };
    }),
  );
}

const whole = async (number: number, part: Part) =>
  await cut(number, part).resize(WIDTH, HEIGHT).png().toBuffer();

const toJpeg = async (picture: Buffer) => await sharp(picture).jpeg({ quality: 85 }).toBuffer();
