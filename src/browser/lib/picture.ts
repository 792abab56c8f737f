import { type Box, cropAround } from '../logic/geometry.js';
import { contextOf, make, toJpeg } from './dom.js';

const JPEG_QUALITY = 0.92;

/**
 * Crops a face with a margin from a picture.
 * @param box in fractions of the picture, 0 to 1
 * @param margin in parts of the face
 */
export function cropFace(picture: HTMLCanvasElement | ImageBitmap, box: Box, margin?: number): Promise<Blob> {
  const { x, y, width, height } = cropAround(box, picture, margin);
  const canvas = make('canvas', { width, height });
  contextOf(canvas).drawImage(picture, x, y, width, height, 0, 0, width, height);
  return toJpeg(canvas, JPEG_QUALITY);
}

/** The picture as the page shows it, mirrored or not, with boxes and names. */
export function composePicture(
  picture: HTMLCanvasElement,
  overlay: HTMLCanvasElement,
  mirrored: boolean,
): Promise<Blob> {
  const { width, height } = picture;
  const canvas = make('canvas', { width, height });
  const context = contextOf(canvas);
  if (mirrored) context.setTransform(-1, 0, 0, 1, width, 0);
  context.drawImage(picture, 0, 0);
  context.resetTransform();
  context.drawImage(overlay, 0, 0, width, height);
  return toJpeg(canvas, JPEG_QUALITY);
}

/** Lets the browser save a file. */
export function download(content: Blob, name: string): void {
  const url = URL.createObjectURL(content);
  make('a', { href: url, download: name }).click();
  // The click starts the download; the URL is kept a little longer to be safe.
  window.setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** `kaomon-2026-01-31-120000`, in local time. */
export function nameByTime(now = new Date()): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
  return `kaomon-${day}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
}
