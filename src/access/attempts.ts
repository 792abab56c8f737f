import { KaomonError } from '../platform/errors.js';

/** Wrong keys are forgotten after this time, milliseconds. */
const WINDOW = 15 * 60_000;
/** Addresses that are remembered; the one that came first is forgotten first. */
const ADDRESSES = 10_000;
/** Keys whose hashes are computed at once: libuv has four threads, and files need the others. */
const HASHES = 2;
/** Keys that wait for that: of everybody, of one address, and of one that has tried too many wrong ones. */
const WAITING = { all: 500, address: 100, suspect: 2 };

interface Tries {
  wrong: number;
  /** When they are forgotten; milliseconds as `now` gives them. */
  until: number;
}

/** How often who tried wrong keys; see {@link createAttempts}. */
export type Attempts = ReturnType<typeof createAttempts>;

/**
 * Slows down whoever tries wrong keys. A right key is never refused for the wrong ones that came from its address: a
 * company sits behind one, and who guesses at 256 random bits gains nothing by it. What is limited is what guessing
 * costs the server: answers (429 instead of another look), and hashes that are computed for it.
 * @param max wrong keys of an address within 15 minutes that are answered as such
 */
export function createAttempts(max: number, now: () => number = () => performance.now()) {
  const byAddress = new Map<string, Tries>();
  /** Keys in the line for a hash, by address. */
  const inLine = new Map<string, number>();
  const line: (() => void)[] = [];
  let waiting = 0;
  let running = 0;

  function triesOf(address: string): Tries | undefined {
    const tries = byAddress.get(address);
    if (!tries || tries.until > now()) return tries;
    byAddress.delete(address);
    return undefined;
  }

  function refuse(seconds: number, what: string): never {
    throw new KaomonError('TOO_MANY_REQUESTS', `${what}: try again in ${seconds} s.`, {
      retryAfter: seconds,
    });
  }

  async function hash<T>(work: () => Promise<T>): Promise<T> {
    if (running >= HASHES) await new Promise<void>((resolve) => line.push(resolve));
    running += 1;
    try {
      return await work();
    } finally {
      running -= 1;
      line.shift()?.();
    }
  }

  return {
    /**
     * Counts a wrong key.
     * @throws KaomonError TOO_MANY_REQUESTS when it is one too many
     */
    wrong(address: string): void {
      const tries = triesOf(address) ?? { wrong: 0, until: now() + WINDOW };
      if (tries.wrong >= max) {
        refuse(Math.ceil((tries.until - now()) / 1000), 'Too many keys from this address were wrong');
      }
      tries.wrong += 1;
      byAddress.set(address, tries);
      const oldest = byAddress.keys().next();
      if (byAddress.size > ADDRESSES && !oldest.done) byAddress.delete(oldest.value);
    },

    /**
     * Does work that costs tens of milliseconds of a core, a few at once; the others wait in a line of bounded length.
     * @throws KaomonError TOO_MANY_REQUESTS when it is too long
     */
    async costly<T>(address: string, work: () => Promise<T>): Promise<T> {
      const mine = inLine.get(address) ?? 0;
      const isSuspect = (triesOf(address)?.wrong ?? 0) >= max;
      if (waiting >= WAITING.all || mine >= (isSuspect ? WAITING.suspect : WAITING.address)) {
        refuse(1, 'Too many keys wait to be checked');
      }
      waiting += 1;
      inLine.set(address, mine + 1);
      try {
        return await hash(work);
      } finally {
        waiting -= 1;
        const left = (inLine.get(address) ?? 1) - 1;
        if (left > 0) inLine.set(address, left);
        else inLine.delete(address);
      }
    },
  };
}
