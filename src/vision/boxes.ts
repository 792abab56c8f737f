import type { Box } from './types.js';

/** Area in square pixels; 0 for a box whose corners are swapped. */
export function boxArea({ x1, y1, x2, y2 }: Box): number {
  return Math.max(0, x2 - x1) * Math.max(0, y2 - y1);
}

/** Shorter side in pixels. */
export function boxSize({ x1, y1, x2, y2 }: Box): number {
  return Math.min(x2 - x1, y2 - y1);
}

/** Area that both boxes cover. */
export function intersection(a: Box, b: Box): number {
  const width = Math.min(a.x2, b.x2) - Math.max(a.x1, b.x1);
  const height = Math.min(a.y2, b.y2) - Math.max(a.y1, b.y1);
  return width > 0 && height > 0 ? width * height : 0;
}

/** Intersection over union, 0 to 1. */
export function iou(a: Box, b: Box): number {
  const common = intersection(a, b);
  return common === 0 ? 0 : common / (boxArea(a) + boxArea(b) - common);
}

/**
 * Non-maximum suppression: of boxes that overlap, only the most probable one is left.
 * @param threshold an overlap (IoU) above this drops a box
 * @returns those that are left, most probable first; the input is not changed
 */
export function suppress<T extends { box: Box; probability: number }>(
  candidates: readonly T[],
  threshold: number,
): T[] {
  const left: T[] = [];
  for (const candidate of [...candidates].sort((a, b) => b.probability - a.probability)) {
    if (left.every((other) => iou(candidate.box, other.box) <= threshold)) left.push(candidate);
  }
  return left;
}

/** The part of a box that lies in a picture. */
export function partWithin(
  { x1, y1, x2, y2 }: Box,
  { width, height }: { width: number; height: number },
): Box {
  const into = (value: number, most: number) => Math.min(most, Math.max(0, value));
  return { x1: into(x1, width), y1: into(y1, height), x2: into(x2, width), y2: into(y2, height) };
}

/** Whole pixels of a picture. */
export interface PixelRect {
  x: number;
  y: number;
  width: number;
  height: number;
}

/**
 * The whole pixels of a picture that a box covers: corners truncated, clamped to the picture; at least one pixel if the
 * box touches the picture.
 * @returns undefined when it lies outside
 */
export function clampToPicture(box: Box, picture: { width: number; height: number }): PixelRect | undefined {
  const x = Math.max(0, Math.trunc(box.x1));
  const y = Math.max(0, Math.trunc(box.y1));
  const width = Math.min(picture.width, Math.trunc(box.x2)) - x;
  const height = Math.min(picture.height, Math.trunc(box.y2)) - y;
  return width > 0 && height > 0 ? { x, y, width, height } : undefined;
}
