import { KaomonError } from '../errors.js';

/** Wrong keys are forgotten after this time, milliseconds. */
const WINDOW = 15 * 60_000;
/** Addresses that are remembered; the one that came first is forgotten first. */
const ADDRESSES = 10_000;

interface Tries {
  wrong: number;
  /** Being checked. */
  pending: number;
  /** When the wrong ones are forgotten; milliseconds as `now` gives them. */
  until: number;
}

/** How often who tried wrong keys; see {@link createAttempts}. */
export type Attempts = ReturnType<typeof createAttempts>;

/**
 * Limits wrong keys by address. What is being checked counts as well: otherwise a thousand guesses sent at once would
 * all be checked before the first is known to be wrong.
 * @param max wrong keys that an address may try within 15 minutes
 */
export function createAttempts(max: number, now: () => number = () => performance.now()) {
  const byAddress = new Map<string, Tries>();

  function triesOf(address: string): Tries {
    let tries = byAddress.get(address);
    if (tries?.pending === 0 && tries.until <= now()) {
      byAddress.delete(address);
      tries = undefined;
    }
    if (!tries) {
      tries = { wrong: 0, pending: 0, until: now() + WINDOW };
      byAddress.set(address, tries);
      const oldest = byAddress.keys().next();
      if (byAddress.size > ADDRESSES && !oldest.done) byAddress.delete(oldest.value);
    }
    return tries;
  }

  return {
    /**
     * Checks a key, unless the address has tried too many.
     * @param check answers undefined when the key is wrong
     * @throws KaomonError TOO_MANY_REQUESTS
     */
    async run<T>(address: string, check: () => Promise<T | undefined>): Promise<T | undefined> {
      const tries = triesOf(address);
      if (tries.wrong + tries.pending >= max) {
        const seconds = tries.wrong >= max ? Math.ceil((tries.until - now()) / 1000) : 1;
        throw new KaomonError(
          'TOO_MANY_REQUESTS',
          `Too many keys from this address were wrong: try again in ${seconds} s.`,
          { retryAfter: seconds },
        );
      }
      tries.pending += 1;
      try {
        const found = await check();
        if (found === undefined) tries.wrong += 1;
        return found;
      } finally {
        tries.pending -= 1;
      }
    },
  };
}
