import path from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { PROJECT_ROOT } from '../platform/root.js';

/** Face-api comes with six photographs: real faces wherever the project is installed. */
const FOLDER = path.join(PROJECT_ROOT, 'node_modules', '@vladmandic', 'face-api', 'demo');

/** The box of a face, in pixels of the photograph. */
export interface Seat {
  readonly photograph: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The width of each photograph, pixels. */
export interface Part {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** The file of a photograph, 1 to 6. Each is 1920 pixels wide. */
export const photograph = (number: number) => path.join(FOLDER, `sample${number}.jpg`);

export const PHOTOGRAPH_WIDTH = 1920;

/** Their heights. */
const HEIGHTS = [1280, 1367, 1350, 1448, 1398, 1537];

/**
 * Everybody in them from left to right, as face-api's detector finds them. The last face of the first photograph and the
 * second one of the third are the same person; all other faces are different people.
 */
export const SEATS: readonly Seat[] = (
  [
    [1, 411, 354, 181, 238],
    [1, 837, 418, 192, 225],
    [1, 1476, 200, 199, 235],
    [2, 361, 139, 150, 248],
    [2, 899, 226, 153, 223],
    [2, 1446, 154, 195, 242],
    [3, 585, 331, 198, 269],
    [3, 1073, 215, 221, 296],
    [3, 1514, 289, 168, 284],
    [4, 256, 183, 161, 249],
    [4, 663, 50, 184, 263],
    [4, 988, 179, 170, 226],
    [4, 1276, 132, 149, 257],
    [5, 377, 864, 171, 295],
    [5, 598, 416, 164, 248],
    [5, 788, 109, 153, 212],
    [5, 1112, 200, 158, 235],
    [5, 1405, 387, 168, 275],
    [6, 249, 465, 209, 295],
    [6, 679, 319, 160, 306],
    [6, 1179, 308, 189, 273],
    [6, 1485, 261, 212, 297],
  ] as const
).map(([number, x, y, width, height]) => ({ photograph: number, x, y, width, height }));

/**
 * A crop of a photograph around a face.
 * @param faces height of the crop, in heights of the face
 * @param aspect its width divided by its height
 */
export function partAround(seat: Seat, faces: number, aspect = 1): Part {
  const height = Math.round(seat.height * faces);
  const width = Math.round(height * aspect);
  const within = (middle: number, size: number, whole: number) =>
    Math.round(Math.max(0, Math.min(whole - size, middle - size / 2)));
  return {
    left: within(seat.x + seat.width / 2, width, PHOTOGRAPH_WIDTH),
    top: within(seat.y + seat.height / 2, height, HEIGHTS[seat.photograph - 1]),
    width,
    height,
  };
}

/** A crop of a photograph, for further processing. */
export function cut(number: number, part: Part): Sharp {
  return sharp(photograph(number)).extract({ ...part });
}
