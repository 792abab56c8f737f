/** Degraded pictures: people seen from farther away, or out of focus. */
import { readFile } from 'node:fs/promises';
import sharp from 'sharp';

/** How a picture is degraded. */
export type Condition =
  /** The picture as it is. */
  | { readonly kind: 'none' }
  /** Shrunk until the eyes are this many pixels apart, on grey of the picture's original size. */
  | { readonly kind: 'eyes'; readonly pixels: number }
  /** A Gaussian blur whose sigma is this fraction of the distance between the eyes. */
  | { readonly kind: 'blur'; readonly sigma: number };

/** From near to far, from sharp to blurred. */
export const CONDITIONS: readonly Condition[] = [
  { kind: 'none' },
  ...[20, 16, 12, 10, 8].map((pixels) => ({ kind: 'eyes', pixels }) as const),
  ...[0.03, 0.05, 0.07, 0.1].map((sigma) => ({ kind: 'blur', sigma }) as const),
];

/** The smallest sigma that the package sharp accepts. */
const MIN_SIGMA = 0.3;
const GREY = '#808080';

/** The condition in words. */
export function describeCondition(condition: Condition): string {
  if (condition.kind === 'none') return 'as they are';
  if (condition.kind === 'eyes') return `eyes ${condition.pixels} pixels apart`;
  return `blurred, sigma ${Math.round(condition.sigma * 100)} % of the eyes' distance`;
}

/** Whether a condition degrades this picture at all. @param eyes distance between the eyes, pixels */
export function applies(condition: Condition, eyes: number): boolean {
  if (condition.kind === 'eyes') return eyes > condition.pixels;
  return condition.kind === 'none' || condition.sigma * eyes >= MIN_SIGMA;
}

/**
 * Degrades a picture.
 * @param file an encoded picture; only read
 * @param eyes distance between the eyes, pixels; {@link applies} must hold
 * @returns PNG, or the picture's own bytes for the condition `none`, in a buffer of its own
 */
export async function degrade(file: string, condition: Condition, eyes: number): Promise<Uint8Array> {
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

/** The outcome of the searches under one condition. */
export interface ConditionFigures {
  condition: Condition;
  /** Searches for people who are enrolled. */
  mated: { searches: number; known: number; wrong: number; unknown: number; faceless: number };
  /** Searches for people who are not enrolled. */
  nonMated: { searches: number; named: number; faceless: number };
}

/** One search. */
export interface ConditionSearch {
  /** Index of the right person among those enrolled; undefined for a stranger. */
  right: number | undefined;
  /** Distance to each person enrolled; undefined where no face was found. */
  distances: Float32Array | undefined;
}

/**
 * Counts the outcomes; `unknown` includes `faceless`.
 * @param threshold a face is named below this distance
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
