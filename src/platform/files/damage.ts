/** Something damaged that was found in a gallery: reported once, counted and passed over, so that it stops nothing else. */
export interface Damaged {
  /** The file or Redis key, so that it can be found; never its content. */
  what: string;
  /** Why, and what became of it. */
  reason: string;
}

/** So many are remembered and reported; beyond that, something larger is wrong. */
const NAMED = 10_000;

export type Damage = ReturnType<typeof createDamage>;

/** @param warn called once for each damaged thing */
export function createDamage(warn: (message: string, damaged: Damaged) => void) {
  const found = new Map<string, string>();
  return {
    report(what: string, reason: string): void {
      if (found.has(what) || found.size >= NAMED) return;
      found.set(what, reason);
      warn(`${what} is damaged: ${reason}.`, { what, reason });
    },
    count: (): number => found.size,
    list: (): Damaged[] => [...found].map(([what, reason]) => ({ what, reason })),
  };
}
