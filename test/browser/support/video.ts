import { open } from 'node:fs/promises';
import sharp from 'sharp';

/** The fake camera's frames, pixels; even, as 4:2:0 wants. */
export const CAMERA = { width: 640, height: 360 };

/** An encoded picture (bytes or a file), and where it is moved to in each frame. */
export interface Scene {
  picture: Uint8Array | string;
  /** Pixels to the right, frame by frame. One entry: a still picture. */
  shifts?: readonly number[];
  /** Frames a second; left out: 10, so that browser and server of a test leave time to others. */
  rate?: number;
}

/** Writes a film in Chromium's fake-camera format (y4m, 4:2:0), which it plays over and over. */
export async function writeFilm(file: string, { picture, shifts = [0], rate = 10 }: Scene): Promise<void> {
  const { width, height } = CAMERA;
  const out = await open(file, 'w');
  try {
    await out.write(`YUV4MPEG2 W${width} H${height} F${rate}:1 Ip A1:1 C420jpeg\n`);
    const whole = await sharp(picture)
      .resize(width, height, { fit: 'cover' })
      .removeAlpha()
      .toColourspace('srgb')
      .raw()
      .toBuffer();
    for (const shift of shifts) {
      await out.write('FRAME\n');
      await out.write(toYuv420(moved(whole, shift)));
    }
  } finally {
    await out.close();
  }
}

/** @param rgb interleaved; the edge's column fills what is left free */
function moved(rgb: Buffer, shift: number): Buffer {
  if (shift === 0) return rgb;
  const { width, height } = CAMERA;
  const result = Buffer.alloc(rgb.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = Math.max(0, Math.min(width - 1, x - shift));
      rgb.copy(result, (y * width + x) * 3, (y * width + from) * 3, (y * width + from) * 3 + 3);
    }
  }
  return result;
}

/** BT.601, full range. */
function toYuv420(rgb: Buffer): Buffer {
  const { width, height } = CAMERA;
  const luma = width * height;
  const yuv = Buffer.alloc(luma * 1.5);
  for (let i = 0; i < luma; i++) {
    yuv[i] = Math.round(0.299 * rgb[i * 3] + 0.587 * rgb[i * 3 + 1] + 0.114 * rgb[i * 3 + 2]);
  }
  for (let y = 0; y < height / 2; y++) {
    for (let x = 0; x < width / 2; x++) {
      const at = (y * 2 * width + x * 2) * 3;
      const [r, g, b] = [rgb[at], rgb[at + 1], rgb[at + 2]];
      const to = (y * width) / 2 + x;
      yuv[luma + to] = clamp(128 - 0.168736 * r - 0.331264 * g + 0.5 * b);
      yuv[luma * 1.25 + to] = clamp(128 + 0.5 * r - 0.418688 * g - 0.081312 * b);
    }
  }
  return yuv;
}

const clamp = (value: number) => Math.max(0, Math.min(255, Math.round(value)));

/** A made picture without a face. */
export function faceFreePicture(): Promise<Buffer> {
  const { width, height } = CAMERA;
  return sharp({ create: { width, height, channels: 3, background: '#6f8f7a' } })
    .png()
    .toBuffer();
}
