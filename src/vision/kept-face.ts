/**
 * Finds the face in a stored crop of an embedder. It fills the picture, whose edge cuts chin and hair, so detectors often
 * miss it. Its place is known anyway, from how the crop was cut.
 */
import { CHIP_PADDING } from './align.js';
import { boxSize } from './boxes.js';
import { type Bordered, GREY, toLarge } from './detectors/bordered.js';
import { cutPoints } from './templates.js';
import type { Detection, KeptCut, Picture } from './types.js';

/** Border on each side as a share of the shorter one: with it face-api's SSD finds every such face (docs/models.md). */
const BORDER = 0.4;
/** A face that takes less of the shorter side is an eye, or a face in the background. */
const LEAST = 0.4;

/**
 * Looks for the face in the picture, then in the picture with a border, else takes it to be where the crop has put it.
 * @param detect finds faces, largest first; only reads the picture
 * @returns the face; with the probability 0 when it was not detected
 */
export async function findKeptFace(
  detect: (picture: Picture) => Promise<Detection[]>,
  picture: Picture,
  cut: KeptCut,
): Promise<Detection> {
  const isIt = ({ box }: Detection) => boxSize(box) >= LEAST * Math.min(picture.width, picture.height);
  const found = (await detect(picture)).find(isIt);
  if (found) return found;
  const border = Math.round(BORDER * Math.min(picture.width, picture.height));
  const bordered = withBorder(picture, border);
  const inBorder = (await detect(bordered.picture)).find(isIt);
  if (inBorder) return toLarge(bordered, inBorder);
  const { width, height } = picture;
  const landmarks = cutPoints(cut.alignment, cut.padding ?? CHIP_PADDING);
  for (let i = 0; i < landmarks.length; i += 2) {
    landmarks[i] *= width;
    landmarks[i + 1] *= height;
  }
  return { box: { x1: 0, y1: 0, x2: width, y2: height }, probability: 0, landmarks };
}

function withBorder({ data, width, height }: Picture, border: number): Bordered {
  const wide = width + 2 * border;
  const bytes = new Uint8Array(wide * (height + 2 * border) * 3).fill(GREY);
  for (let row = 0; row < height; row++) {
    bytes.set(data.subarray(row * width * 3, (row + 1) * width * 3), ((row + border) * wide + border) * 3);
  }
  return {
    picture: { data: bytes, width: wide, height: height + 2 * border },
    from: { x: 0, y: 0, width, height },
    to: { x: border, y: border, width, height },
  };
}
