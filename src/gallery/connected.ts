/**
 * Divides things into parts that hang together: each of a part is together with another one of it.
 * @param count how many there are
 * @param areTogether of two places, from 0
 * @returns the places, part by part, each part from its lowest place on
 */
export function connectedParts(
  count: number,
  areTogether: (one: number, other: number) => boolean,
): number[][] {
  const left = new Set(Array.from({ length: count }, (_, at) => at));
  const parts: number[][] = [];
  for (const first of left) {
    left.delete(first);
    const part = [first];
    // Grows while it is gone through.
    for (const at of part)
      for (const other of left) {
        if (!areTogether(at, other)) continue;
        left.delete(other);
        part.push(other);
      }
    parts.push(part);
  }
  return parts;
}
