import { KaomonError } from '../platform/errors.js';

/** How long wrong keys count, milliseconds. */
const WINDOW = 15 * 60_000;
/** How many addresses are remembered; the oldest is forgotten first. */
const ADDRESSES = 10_000;
/** How many hashes are computed at once: libuv has four threads, and files need the others. */
const HASHES = 2;
/** How many keys may wait to be hashed: in all, from one address, and from one that has sent too many wrong keys. */
const WAITING = { all: 500, address: 100, suspect: 2 };

interface WrongKeys {
  count: number;
  /** When they are forgotten, milliseconds on the clock `now`. */
  until: number;
}

/** Limits the checking of wrong keys; see {@link createAttempts}. */
export type Attempts = ReturnType<typeof createAttempts>;

/**
 * Limits what guessing keys can cost the server: after `max` wrong keys an address gets 429 instead of 401, and few of its
 * keys are hashed at a time. A right key is never refused because of wrong ones from the same address: a whole company
 * may share that address, and guessing at 256 random bits gains nothing.
 * @param max wrong keys from one address within 15 minutes before it gets 429
 */
export function createAttempts(max: number, now: () => number = () => performance.now()) {
  const byAddress = new Map<string, WrongKeys>();
  /** Keys that wait to be hashed or are being hashed, by address. */
  const pending = new Map<string, number>();
  const queue: (() => void)[] = [];
  let pendingInAll = 0;
  let running = 0;

  function wrongKeysOf(address: string): WrongKeys | undefined {
    const wrongKeys = byAddress.get(address);
    if (!wrongKeys || wrongKeys.until > now()) return wrongKeys;
    byAddress.delete(address);
    return undefined;
  }

  function refuse(seconds: number, what: string): never {
    throw new KaomonError('TOO_MANY_REQUESTS', `${what}: try again in ${seconds} s.`, {
      retryAfter: seconds,
    });
  }

  async function hash<T>(work: () => Promise<T>): Promise<T> {
    if (running >= HASHES) await new Promise<void>((resolve) => queue.push(resolve));
    running += 1;
    try {
      return await work();
    } finally {
      running -= 1;
      queue.shift()?.();
    }
  }

  return {
    /**
     * Counts a wrong key.
     * @throws KaomonError TOO_MANY_REQUESTS when the address has sent too many
     */
    countWrong(address: string): void {
      const wrongKeys = wrongKeysOf(address) ?? { count: 0, until: now() + WINDOW };
      if (wrongKeys.count >= max) {
        refuse(Math.ceil((wrongKeys.until - now()) / 1000), 'Too many wrong keys came from this address');
      }
      wrongKeys.count += 1;
      byAddress.set(address, wrongKeys);
      const oldest = byAddress.keys().next();
      if (byAddress.size > ADDRESSES && !oldest.done) byAddress.delete(oldest.value);
    },

    /**
     * Does work that costs tens of milliseconds of a core, two at a time; the others wait in a bounded queue.
     * @throws KaomonError TOO_MANY_REQUESTS when the queue is full
     */
    async costly<T>(address: string, work: () => Promise<T>): Promise<T> {
      const ofAddress = pending.get(address) ?? 0;
      const isSuspect = (wrongKeysOf(address)?.count ?? 0) >= max;
      const limit = isSuspect ? WAITING.suspect : WAITING.address;
      if (pendingInAll >= WAITING.all || ofAddress >= limit) refuse(1, 'Too many keys wait to be checked');
      pendingInAll += 1;
      pending.set(address, ofAddress + 1);
      try {
        return await hash(work);
      } finally {
        pendingInAll -= 1;
        const left = (pending.get(address) ?? 1) - 1;
        if (left > 0) pending.set(address, left);
        else pending.delete(address);
      }
    },
  };
}
