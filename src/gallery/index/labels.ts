import type { Hit } from './vector-index.js';

/**
 * Maps our ids to the numbers (labels) that engines use. Labels are never used twice, so that a late answer of an engine
 * cannot name a vector that was added after another was removed.
 */
export function createLabels() {
  const labels = new Map<string, number>();
  const ids = new Map<number, string>();
  return {
    get size() {
      return labels.size;
    },
    has: (id: string) => labels.has(id),
    lives: (label: number) => ids.has(label),

    set(id: string, label: number): void {
      labels.set(id, label);
      ids.set(label, id);
    },

    /** @returns the label that the id had */
    take(id: string): number | undefined {
      const label = labels.get(id);
      if (label !== undefined) {
        labels.delete(id);
        ids.delete(label);
      }
      return label;
    },

    /** An engine's answer without removed vectors, in its order. */
    hits(found: { labels: ArrayLike<number>; distances: ArrayLike<number> }): Hit[] {
      const hits: Hit[] = [];
      for (let i = 0; i < found.labels.length; i++) {
        const id = ids.get(found.labels[i]);
        if (id !== undefined) hits.push({ id, distance: found.distances[i] });
      }
      return hits;
    },
  };
}
