import type { Region } from '../area.js';
import type { Box, Detection } from '../types.js';

/** A row: x1, y1, x2, y2; the probability; how far each side is to move, a share of the box; five x, five y. */
const ROW = 19;
const PROBABILITY = 4;
const REGRESSION = 5;
const LANDMARKS = 9;

/** What an overlap is a share of: both boxes together, or the smaller of the two. */
type OverlapOf = 'union' | 'smaller';

/**
 * The boxes that one stage of the cascade passes to the next, in pixels of the picture, as rows of one array, so that
 * hundreds of candidates per frame make no garbage. Formulas and pixel conventions (some widths count both end pixels, some
 * do not) are facenet-pytorch's, whose results they must match.
 */
export class Candidates {
  count = 0;
  #rows = new Float32Array(256 * ROW);
  #order = new Int32Array(256);
  #spare = new Float32Array(256 * ROW);

  clear(): void {
    this.count = 0;
  }

  /** Adds a window of P-Net. @param from index in `regressions` of the first of four numbers, `step` apart */
  add(window: Box, probability: number, regressions: Float32Array, from: number, step: number): void {
    const at = this.count * ROW;
    if (at + ROW > this.#rows.length) this.#grow();
    const rows = this.#rows;
    rows[at] = window.x1;
    rows[at + 1] = window.y1;
    rows[at + 2] = window.x2;
    rows[at + 3] = window.y2;
    rows[at + PROBABILITY] = probability;
    for (let side = 0; side < 4; side++) rows[at + REGRESSION + side] = regressions[from + side * step];
    this.count += 1;
  }

  #grow(): void {
    const grown = new Float32Array(this.#rows.length * 2);
    grown.set(this.#rows);
    this.#rows = grown;
    this.#spare = new Float32Array(grown.length);
    this.#order = new Int32Array(grown.length / ROW);
  }

  /** What a network says of row `index`: probability, four sides, five x, five y, from `from` on. R-Net says no points. */
  setScores(index: number, scores: Float32Array, from: number): void {
    const at = index * ROW + PROBABILITY;
    for (let k = 0; k < ROW - PROBABILITY; k++) this.#rows[at + k] = scores[from + k];
  }

  /** Keeps the rows that `isKept` accepts, in their order. */
  filter(isKept: (index: number) => boolean): void {
    let kept = 0;
    for (let index = 0; index < this.count; index++) {
      if (!isKept(index)) continue;
      if (kept !== index) this.#rows.copyWithin(kept * ROW, index * ROW, (index + 1) * ROW);
      kept += 1;
    }
    this.count = kept;
  }

  /** Keeps the rows whose probability is above `threshold`. */
  keepAbove(threshold: number): void {
    this.filter((index) => this.#probability(index) > threshold);
  }

  #probability(index: number): number {
    return this.#rows[index * ROW + PROBABILITY];
  }

  /** The rows from `first` on, the most probable first. */
  #byProbability(first: number): Int32Array {
    const order = this.#order.subarray(0, this.count - first);
    for (let i = 0; i < order.length; i++) order[i] = first + i;
    return order.sort((a, b) => this.#probability(b) - this.#probability(a) || a - b);
  }

  /** Of the rows from `first` on keeps the `most` most probable, in their order. */
  keepBest(most: number, first: number): void {
    if (this.count - first <= most) return;
    const least = this.#byProbability(first)[most];
    const [limit, place] = [this.#probability(least), least];
    this.filter((index) => {
      const probability = index < first ? Infinity : this.#probability(index);
      return probability > limit || (probability === limit && index < place);
    });
  }

  /**
   * Non-maximum suppression of the rows from `first` on: drops each that overlaps a more probable one by more than
   * `threshold`; what is left is sorted by probability.
   * @param most that are left
   */
  suppress(threshold: number, of: OverlapOf, first = 0, most = Infinity): void {
    const rows = this.#rows;
    const order = this.#byProbability(first);
    const spare = this.#spare;
    let kept = 0;
    for (const index of order) {
      if (kept >= most) break;
      const at = index * ROW;
      let isNew = true;
      for (let other = 0; other < kept && isNew; other++)
        isNew = overlap(rows, at, spare, other * ROW, of) <= threshold;
      if (!isNew) continue;
      for (let i = 0; i < ROW; i++) spare[kept * ROW + i] = rows[at + i];
      kept += 1;
    }
    rows.set(spare.subarray(0, kept * ROW), first * ROW);
    this.count = first + kept;
  }

  /** Moves each side by its share of the box. @param inclusive whether a box's size counts both end pixels */
  regress(inclusive: boolean): void {
    const rows = this.#rows;
    const extra = inclusive ? 1 : 0;
    for (let at = 0; at < this.count * ROW; at += ROW) {
      const width = rows[at + 2] - rows[at] + extra;
      const height = rows[at + 3] - rows[at + 1] + extra;
      rows[at] += rows[at + REGRESSION] * width;
      rows[at + 1] += rows[at + REGRESSION + 1] * height;
      rows[at + 2] += rows[at + REGRESSION + 2] * width;
      rows[at + 3] += rows[at + REGRESSION + 3] * height;
    }
  }

  /** Landmarks from shares of the box to pixels; before the box itself is moved. */
  placeLandmarks(): void {
    const rows = this.#rows;
    for (let at = 0; at < this.count * ROW; at += ROW) {
      const width = rows[at + 2] - rows[at] + 1;
      const height = rows[at + 3] - rows[at + 1] + 1;
      for (let k = at + LANDMARKS; k < at + LANDMARKS + 5; k++) {
        rows[k] = width * rows[k] + rows[at] - 1;
        rows[k + 5] = height * rows[k + 5] + rows[at + 1] - 1;
      }
    }
  }

  /** Makes each box the square about its centre whose side is its longer one. */
  square(): void {
    const rows = this.#rows;
    for (let at = 0; at < this.count * ROW; at += ROW) {
      const width = rows[at + 2] - rows[at];
      const height = rows[at + 3] - rows[at + 1];
      const side = Math.max(width, height);
      rows[at] += width * 0.5 - side * 0.5;
      rows[at + 1] += height * 0.5 - side * 0.5;
      rows[at + 2] = rows[at] + side;
      rows[at + 3] = rows[at + 1] + side;
    }
  }

  /**
   * The pixels of row `index` that lie in the picture: corners truncated, the first pixel counted as 1.
   * @param out written
   * @returns false when none do
   */
  region(index: number, picture: { width: number; height: number }, out: Region): boolean {
    const at = index * ROW;
    const rows = this.#rows;
    out.x = Math.max(1, Math.trunc(rows[at])) - 1;
    out.y = Math.max(1, Math.trunc(rows[at + 1])) - 1;
    out.width = Math.min(picture.width, Math.trunc(rows[at + 2])) - out.x;
    out.height = Math.min(picture.height, Math.trunc(rows[at + 3])) - out.y;
    return out.width > 0 && out.height > 0;
  }

  /** The rows as detections of their own. */
  detections(): Detection[] {
    return Array.from({ length: this.count }, (_, index) => {
      const row = this.#rows.subarray(index * ROW, (index + 1) * ROW);
      const landmarks = new Float32Array(10);
      for (let k = 0; k < 5; k++) {
        landmarks[k * 2] = row[LANDMARKS + k];
        landmarks[k * 2 + 1] = row[LANDMARKS + 5 + k];
      }
      const [x1, y1, x2, y2, probability] = row;
      return { box: { x1, y1, x2, y2 }, probability, landmarks };
    });
  }
}

/** 0 to 1. By the union as torchvision's nms counts it, by the smaller box with both end pixels counted. */
function overlap(a: Float32Array, i: number, b: Float32Array, j: number, of: OverlapOf): number {
  const extra = of === 'smaller' ? 1 : 0;
  const width = Math.min(a[i + 2], b[j + 2]) - Math.max(a[i], b[j]) + extra;
  const height = Math.min(a[i + 3], b[j + 3]) - Math.max(a[i + 1], b[j + 1]) + extra;
  if (width <= 0 || height <= 0) return 0;
  const common = width * height;
  const areaA = (a[i + 2] - a[i] + extra) * (a[i + 3] - a[i + 1] + extra);
  const areaB = (b[j + 2] - b[j] + extra) * (b[j + 3] - b[j + 1] + extra);
  return common / (of === 'smaller' ? Math.min(areaA, areaB) : areaA + areaB - common);
}
