import { SCENE } from '../vision/track.js';
import type { Box } from '../vision/types.js';

/** A cell has changed when its grey level did by more than this: above the noise of a camera, below a person. */
const CHANGE = 20;
/** So many changed cells are a movement: a face of a sixteenth of the frame's width and its neck. */
const CELLS = 6;
/** Around a known face its head and shoulders move with it. */
const MARGIN = 0.6;

/**
 * Whether something moved beside the known faces.
 * @param known boxes in pixels of a frame of `size`
 */
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
  // Below a face is the body that carries it.
  return x >= x1 - across && x <= x2 + across && y >= y1 - down && y <= y2 + 3 * down;
}
