/** A rectangle in parts of a frame (0 to 1) or in pixels of the stage; who uses it says which. */
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

/** How a picture lies in the stage: its rectangle in the stage's pixels. */
export function fitInside(picture: Size, stage: Size): Box {
  if (picture.width <= 0 || picture.height <= 0) return { x: 0, y: 0, ...stage };
  const scale = Math.min(stage.width / picture.width, stage.height / picture.height);
  const width = picture.width * scale;
  const height = picture.height * scale;
  return { x: (stage.width - width) / 2, y: (stage.height - height) / 2, width, height };
}

/**
 * Where something in the frame is drawn.
 * @param box parts of the frame, 0 to 1
 * @param picture the frame's rectangle in the stage, pixels (see `fitInside`)
 * @param mirrored whether the frame is shown as in a mirror
 * @returns pixels of the stage
 */
export function toStage(box: Box, picture: Box, mirrored: boolean): Box {
  const x = mirrored ? 1 - box.x - box.width : box.x;
  return {
    x: picture.x + x * picture.width,
    y: picture.y + box.y * picture.height,
    width: box.width * picture.width,
    height: box.height * picture.height,
  };
}

/** Intersection over union, 0 to 1. */
export function overlap(a: Box, b: Box): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  const both = width * height;
  return both / (a.width * a.height + b.width * b.height - both);
}

export function contains(box: Box, x: number, y: number): boolean {
  return x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height;
}

/**
 * The part of a picture to keep of a face: the box with half its size around it, so that a detector finds the face
 * again and nothing of its neighbours is taken along that need not be.
 * @param box parts of the frame
 * @param frame pixels
 * @returns whole pixels inside the frame
 */
export function cutAround(box: Box, frame: Size, margin = 0.5): Box {
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
