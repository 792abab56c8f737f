import { type Box, intersectionOverUnion } from './geometry.js';

/** Boxes of one face in two consecutive answers have at least this intersection over union. */
const SAME_FACE = 0.25;

/**
 * Numbers the faces of answers that carry no track numbers: a face gets the number of the face in the previous answer
 * that it overlaps most, or else a new one.
 */
export function createIouTracker() {
  let previous: { track: number; box: Box }[] = [];
  let next = 1;
  return (boxes: readonly Box[]): number[] => {
    const pairs = boxes
      .flatMap((box, i) =>
        previous.map(({ track, box: before }) => ({ i, track, iou: intersectionOverUnion(box, before) })),
      )
      .filter(({ iou }) => iou >= SAME_FACE)
      .sort((a, b) => b.iou - a.iou);
    const trackOf = new Map<number, number>();
    const taken = new Set<number>();
    for (const { i, track } of pairs) {
      if (trackOf.has(i) || taken.has(track)) continue;
      trackOf.set(i, track);
      taken.add(track);
    }
    previous = boxes.map((box, i) => ({ track: trackOf.get(i) ?? next++, box }));
    return previous.map(({ track }) => track);
  };
}
