/** How often a summary of what repeats is written, milliseconds. */
const MINUTE = 60_000;
/** Kinds that are told apart within a minute; all further ones are counted together. */
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
 * For log lines that a caller can cause as often as it likes: the first of a kind is written, the next ones are counted,
 * and once a minute a line says how many there were. Nobody fills the disk or the memory by being refused.
 */
export function createRepeats() {
  const kinds = new Map<string, Kind>();

  function summarise(): void {
    for (const [name, kind] of kinds) {
      const { times } = kind;
      // After a quiet minute the next one counts as the first again.
      if (times === 0) kinds.delete(name);
      else kind.write(times);
      kind.times = 0;
    }
  }
  const timer = setInterval(summarise, MINUTE).unref();

  return {
    /**
     * @param name the kind; of bounded length
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
