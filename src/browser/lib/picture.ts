import { type Box, cutAround } from '../logic/geometry.js';
import { contextOf, make, toJpeg } from './dom.js';

const JPEG_QUALITY = 0.92;

/** A face of the camera's picture with a little around it. @param box parts of the picture */
export function cutFace(picture: HTMLCanvasElement, box: Box): Promise<Blob> {
  const part = cutAround(box, picture);
  const canvas = make('canvas', { width: part.width, height: part.height });
  contextOf(canvas).drawImage(
    picture,
    part.x,
    part.y,
    part.width,
    part.height,
    0,
    0,
    part.width,
    part.height,
  );
  return toJpeg(canvas, JPEG_QUALITY);
}

/** What is seen: the picture, in the mirror where it is shown so, with boxes and names. */
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

/** Gives a file to the reader. */
export function download(content: Blob, name: string): void {
  const address = URL.createObjectURL(content);
  make('a', { href: address, download: name }).click();
  // The browser has taken it over once the click is done; a moment more costs nothing.
  window.setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** `kaomon-2026-01-31-120000`, of the reader's own clock. */
export function nameByTime(now = new Date()): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
  return `kaomon-${day}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
}
