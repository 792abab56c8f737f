/** A summary of what repeats is written so often, milliseconds. */
const MINUTE = 60_000;
/** Kinds that are told apart within a minute; what is beyond them is counted together. */
const KINDS = 500;
const OTHERS = 'others';

interface Kind {
  /** Since the last line. */
  times: number;
  write: (times: number) => void;
}

/** Counts what repeats instead of writing it; see {@link createRepeats}. */
export type Repeats = ReturnType<typeof createRepeats>;

/**
 * Log lines that a caller can bring about as often as it likes: the first of a kind is written, those after it are
 * counted, and once a minute a line says how many there were. Nobody fills a disk, or the memory, by being refused.
 */
export function createRepeats() {
  const kinds = new Map<string, Kind>();

  function summarise(): void {
    for (const [name, kind] of kinds) {
      const { times } = kind;
      // Nothing for a minute: the next one is the first again.
      if (times === 0) kinds.delete(name);
      else kind.write(times);
      kind.times = 0;
    }
  }
  const timer = setInterval(summarise, MINUTE).unref();

  return {
    /**
     * @param name what kind it is; of bounded length
     * @param first writes the line
     * @param again writes that there were so many more since the last line
     */
    tell(name: string, first: () => void, again: (times: number) => void): void {
      const known = kinds.get(name);
      if (known) known.times += 1;
      else if (kinds.size < KINDS) {
        kinds.set(name, { times: 0, write: again });
        first();
      } else {
        const others = kinds.get(OTHERS) ?? { times: 0, write: again };
        others.times += 1;
        kinds.set(OTHERS, others);
      }
    },

    /** Writes what has been counted. */
    flush: summarise,

    close(): void {
      clearInterval(timer);
      summarise();
    },
  };
}
