/** A rectangle, in fractions of a frame (0 to 1) or in pixels of the stage: each use says which. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Size {
  width: number;
  height: number;
}

/** Fits a picture into the stage without cropping. @returns its rectangle, in pixels of the stage */
export function fitInside(picture: Size, stage: Size): Box {
  if (picture.width <= 0 || picture.height <= 0) return { x: 0, y: 0, ...stage };
  const scale = Math.min(stage.width / picture.width, stage.height / picture.height);
  const width = picture.width * scale;
  const height = picture.height * scale;
  return { x: (stage.width - width) / 2, y: (stage.height - height) / 2, width, height };
}

/**
 * Where to draw something that is in the frame.
 * @param box fractions of the frame, 0 to 1
 * @param picture the frame's rectangle in the stage, pixels (see `fitInside`)
 * @param mirrored whether the frame is shown as in a mirror
 * @param into is overwritten and returned: for what is drawn sixty times a second
 * @returns pixels of the stage
 */
export function toStage(
  box: Box,
  picture: Box,
  mirrored: boolean,
  into: Box = { x: 0, y: 0, width: 0, height: 0 },
): Box {
  const x = mirrored ? 1 - box.x - box.width : box.x;
  into.x = picture.x + x * picture.width;
  into.y = picture.y + box.y * picture.height;
  into.width = box.width * picture.width;
  into.height = box.height * picture.height;
  return into;
}

/** Intersection over union, 0 to 1. */
export function intersectionOverUnion(a: Box, b: Box): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  const both = width * height;
  return both / (a.width * a.height + b.width * b.height - both);
}

/**
 * The crop that shows a face: its box and a margin of half its size, which a detector needs to find the face again, and
 * which leaves out most of the neighbours.
 * @param box fractions of the frame
 * @param frame pixels
 * @returns whole pixels inside the frame
 */
export function cropAround(box: Box, frame: Size, margin = 0.5): Box {
  const side = Math.max(box.width * frame.width, box.height * frame.height);
  const reach = side * (0.5 + margin);
  const centreX = (box.x + box.width / 2) * frame.width;
  const centreY = (box.y + box.height / 2) * frame.height;
  const left = Math.max(0, Math.floor(centreX - reach));
  const top = Math.max(0, Math.floor(centreY - reach));
  const right = Math.min(frame.width, Math.ceil(centreX + reach));
  const bottom = Math.min(frame.height, Math.ceil(centreY + reach));
  return { x: left, y: top, width: Math.max(1, right - left), height: Math.max(1, bottom - top) };
}

/** The part of a box that lies in the frame. @param box fractions of the frame; a number that is none counts as 0 */
export function clampBox({ x, y, width, height }: Box): Box {
  const inside = (value: number) => (value > 0 ? Math.min(1, value) : 0);
  const left = inside(x);
  const top = inside(y);
  return { x: left, y: top, width: inside(x + width) - left, height: inside(y + height) - top };
}
