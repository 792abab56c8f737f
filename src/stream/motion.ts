import { SCENE } from '../vision/track.js';
import type { Box } from '../vision/types.js';

/** How much a changed cell's grey level differs: more than a camera's noise, less than a person. */
const CHANGE = 20;
/** How many changed cells are a movement: a face a sixteenth of the frame wide, with its neck. */
const CELLS = 6;
/** Head and shoulders move with a known face, within this share of its size around it. */
const MARGIN = 0.6;

/** Whether something moved away from the known faces. @param known boxes in pixels of a frame of `size` */
export function hasMoved(
  before: Uint8Array,
  now: Uint8Array,
  known: readonly Box[],
  size: { width: number; height: number },
): boolean {
  let changed = 0;
  for (let cell = 0; cell < now.length; cell++) {
    if (Math.abs(now[cell] - before[cell]) <= CHANGE) continue;
    const x = (((cell % SCENE.columns) + 0.5) * size.width) / SCENE.columns;
    const y = ((Math.floor(cell / SCENE.columns) + 0.5) * size.height) / SCENE.rows;
    if (known.some((box) => isAround(box, x, y))) continue;
    changed += 1;
    if (changed >= CELLS) return true;
  }
  return false;
}

function isAround({ x1, y1, x2, y2 }: Box, x: number, y: number): boolean {
  const across = (x2 - x1) * MARGIN;
  const down = (y2 - y1) * MARGIN;
  // The body is below the face.
  return x >= x1 - across && x <= x2 + across && y >= y1 - down && y <= y2 + 3 * down;
}
