/** The same people seen worse: from farther away, and out of focus. */
import { readFile } from 'node:fs/promises';
import sharp from 'sharp';

/** How a picture is made worse. */
export type Condition =
  /** The picture as it is. */
  | { readonly kind: 'none' }
  /** Shrunk until the eyes are so many pixels apart, in a grey frame of the picture's old size. */
  | { readonly kind: 'eyes'; readonly pixels: number }
  /** A Gaussian blur whose sigma is this part of the distance of the eyes. */
  | { readonly kind: 'blur'; readonly sigma: number };

/** From near to far, from sharp to blurred. */
export const CONDITIONS: readonly Condition[] = [
  { kind: 'none' },
  ...[20, 16, 12, 10, 8].map((pixels) => ({ kind: 'eyes', pixels }) as const),
  ...[0.03, 0.05, 0.07, 0.1].map((sigma) => ({ kind: 'blur', sigma }) as const),
];

/** What sharp blurs least. */
const LEAST_SIGMA = 0.3;
const GREY = '#808080';

/** For people. */
export function describeCondition(condition: Condition): string {
  if (condition.kind === 'none') return 'as they are';
  if (condition.kind === 'eyes') return `eyes ${condition.pixels} pixels apart`;
  return `blurred, sigma ${Math.round(condition.sigma * 100)} % of the eyes' distance`;
}

/** @param eyes their distance in the picture, pixels. @returns whether the condition makes this picture worse */
export function applies(condition: Condition, eyes: number): boolean {
  if (condition.kind === 'eyes') return eyes > condition.pixels;
  return condition.kind === 'none' || condition.sigma * eyes >= LEAST_SIGMA;
}

/**
 * Makes a picture worse.
 * @param file an encoded picture; only read
 * @param eyes distance of the eyes in it, pixels; {@link applies} says yes to it
 * @returns PNG (the picture's own bytes where nothing is done to it), in a buffer of its own
 */
export async function worsen(file: string, condition: Condition, eyes: number): Promise<Uint8Array> {
  const bytes = await readFile(file);
  if (condition.kind === 'none') return new Uint8Array(bytes);
  const upright = await sharp(bytes)
    .autoOrient()
    .flatten({ background: '#ffffff' })
    .toColourspace('srgb')
    .png()
    .toBuffer();
  const picture = sharp(upright);
  if (condition.kind === 'blur')
    return new Uint8Array(
      await picture
        .blur(condition.sigma * eyes)
        .png()
        .toBuffer(),
    );
  const { width, height } = await sharp(upright).metadata();
  const scale = condition.pixels / eyes;
  const small = {
    width: Math.max(1, Math.round(width * scale)),
    height: Math.max(1, Math.round(height * scale)),
  };
  const left = Math.floor((width - small.width) / 2);
  const top = Math.floor((height - small.height) / 2);
  const framed = await picture
    .resize({ ...small, fit: 'fill' })
    .extend({
      left,
      top,
      right: width - small.width - left,
      bottom: height - small.height - top,
      background: GREY,
    })
    .png()
    .toBuffer();
  return new Uint8Array(framed);
}

/** What became of the searches under one condition. */
export interface ConditionFigures {
  condition: Condition;
  /** Pictures of people who are enrolled. */
  mated: { searches: number; known: number; wrong: number; unknown: number; faceless: number };
  /** Pictures of people who are not. */
  nonMated: { searches: number; named: number; faceless: number };
}

/** One search: its distance to each of those enrolled, or nothing where no face was found. */
export interface ConditionSearch {
  /** Place of the right person among those enrolled; undefined: a stranger. */
  right: number | undefined;
  distances: Float32Array | undefined;
}

/**
 * @param threshold a face is named below this distance
 * @returns counts; `unknown` has the faceless among it
 */
export function countSearches(
  condition: Condition,
  searches: readonly ConditionSearch[],
  threshold: number,
): ConditionFigures {
  const mated = { searches: 0, known: 0, wrong: 0, unknown: 0, faceless: 0 };
  const nonMated = { searches: 0, named: 0, faceless: 0 };
  for (const { right, distances } of searches) {
    const nearest = distances && nearestOf(distances);
    const isNamed = nearest !== undefined && nearest.distance < threshold;
    if (right === undefined) {
      nonMated.searches += 1;
      if (!distances) nonMated.faceless += 1;
      if (isNamed) nonMated.named += 1;
      continue;
    }
    mated.searches += 1;
    if (!distances) mated.faceless += 1;
    mated[!isNamed ? 'unknown' : nearest.place === right ? 'known' : 'wrong'] += 1;
  }
  return { condition, mated, nonMated };
}

function nearestOf(distances: Float32Array): { place: number; distance: number } {
  let place = 0;
  for (let i = 1; i < distances.length; i++) if (distances[i] < distances[place]) place = i;
  return { place, distance: distances[place] };
}
