import type { PixelRect } from '../boxes.js';
import { clampToPicture } from '../boxes.js';
import type { Resampler } from '../resample.js';
import type { Box, Detection, Landmarks, Picture } from '../types.js';

/** The grey level of borders around pictures. */
export const GREY = 128;

/** A part of a picture, drawn smaller and with a border where it reaches outside. */
export interface Bordered {
  /** Its bytes are overwritten by the next drawing. */
  picture: Picture;
  /** The part's whole pixels in the large picture, and their place in this one. */
  from: PixelRect;
  to: PixelRect;
}

/** Draws parts of pictures, grey beyond the picture's edge. Reuses its buffers between calls. */
export class BorderDrawer {
  #bytes = new Uint8Array(0);
  #inner = new Uint8Array(0);

  constructor(readonly resampler: Resampler) {}

  /**
   * @param part in pixels of the picture; may reach outside
   * @param scale of the drawing, 0 to 1
   * @param isRough reads only about 1.5 rows for each row of the drawing, in half the time: enough to find a face
   * @returns undefined when the part lies outside
   */
  draw(picture: Picture, part: Box, scale: number, isRough = false): Bordered | undefined {
    const [x1, y1] = [Math.floor(part.x1), Math.floor(part.y1)];
    const [x2, y2] = [Math.ceil(part.x2), Math.ceil(part.y2)];
    const from = clampToPicture({ x1, y1, x2, y2 }, picture);
    if (!from) return undefined;
    const place = (pixel: number, edge: number) => Math.round((pixel - edge) * scale);
    const to = { x: place(from.x, x1), y: place(from.y, y1), width: 0, height: 0 };
    to.width = Math.max(1, place(from.x + from.width, x1) - to.x);
    to.height = Math.max(1, place(from.y + from.height, y1) - to.y);
    const width = Math.max(to.x + to.width, place(x2, x1));
    const height = Math.max(to.y + to.height, place(y2, y1));
    if (this.#bytes.length < width * height * 3) this.#bytes = new Uint8Array(width * height * 3);
    const bytes = this.#bytes.subarray(0, width * height * 3);
    const innerLength = to.width * to.height * 3;
    if (this.#inner.length < innerLength) this.#inner = new Uint8Array(innerLength);
    const step = isRough ? Math.max(1, Math.floor(from.height / to.height / 1.5)) : 1;
    // A picture `step` times as wide has `step` rows side by side, of which only the first is read.
    const rows = {
      data: picture.data.subarray(from.y * picture.width * 3),
      width: picture.width * step,
      height: Math.floor(from.height / step),
    };
    const region = { x: from.x, y: 0, width: from.width, height: rows.height };
    this.resampler.resize(rows, region, to.width, to.height, this.#inner);
    bytes.fill(GREY);
    for (let row = 0, at = 0; row < to.height; row++, at += to.width * 3) {
      bytes.set(this.#inner.subarray(at, at + to.width * 3), ((to.y + row) * width + to.x) * 3);
    }
    return { picture: { data: bytes, width, height }, from, to };
  }
}

/** Maps a face of the drawing to the large picture. */
export function toLarge(
  { from, to }: Bordered,
  { box, landmarks, landmarks68, ...rest }: Detection,
): Detection {
  const across = from.width / to.width;
  const down = from.height / to.height;
  const x = (value: number) => from.x + (value - to.x) * across;
  const y = (value: number) => from.y + (value - to.y) * down;
  const all = (points: Landmarks) => points.map((value, i) => (i % 2 === 0 ? x(value) : y(value)));
  return {
    ...rest,
    box: { x1: x(box.x1), y1: y(box.y1), x2: x(box.x2), y2: y(box.y2) },
    landmarks: landmarks && all(landmarks),
    landmarks68: landmarks68 && all(landmarks68),
  };
}

/** Maps a box of the large picture to the drawing. */
export function toDrawing({ from, to }: Bordered, { x1, y1, x2, y2 }: Box): Box {
  const across = to.width / from.width;
  const down = to.height / from.height;
  const x = (value: number) => to.x + (value - from.x) * across;
  const y = (value: number) => to.y + (value - from.y) * down;
  return { x1: x(x1), y1: y(y1), x2: x(x2), y2: y(y2) };
}
