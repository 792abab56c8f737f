/** What was found damaged in a gallery: named once, counted, and passed over, so that it stops nobody and nothing. */
export interface Damaged {
  /** A file or a Redis key, as it is found again; never what is in it. */
  what: string;
  /** Why, and what became of it. */
  reason: string;
}

/** What is remembered by name; beyond that something larger is wrong, and it is no longer told by name. */
const NAMED = 10_000;

export type Damage = ReturnType<typeof createDamage>;

/** @param warn told of each damaged thing once */
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
