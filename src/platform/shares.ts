import { KaomonError } from './errors.js';

/** What is shared out, and how; see {@link createShares}. */
export interface SharesOptions {
  total: number;
  /** The part of `total` that a lone caller may have, 0 to 1; 1: all of it. */
  share: number;
  /** Messages of a refusal: because nothing is left, and because the caller would exceed its share. */
  full: string;
  mine: string;
  /** Seconds after which to try again. */
  retryAfter: number;
}

/** What callers hold of a limited resource. */
export type Shares = ReturnType<typeof createShares>;

/**
 * Shares out a limited resource: places in a queue, streams, bytes. No share is fixed: a caller may hold `share / (1 -
 * share)` times what is left free (of 64 with a share of 3/4: a lone caller 48, two 28 and 27, three 19 or 20), so that
 * however greedy the others are, something is left for the next. (Dynamic thresholds, by which switches share their
 * buffers: Choudhury and Hahne 1998.) A caller that holds nothing gets some while there is any.
 */
export function createShares({ total, share, full, mine: enough, retryAfter }: SharesOptions) {
  const held = new Map<string, number>();
  let taken = 0;

  function refuse(isFull: boolean): never {
    const code = isFull ? 'BUSY' : 'TOO_MANY_REQUESTS';
    throw new KaomonError(code, `${isFull ? full : enough}: try again in ${retryAfter} s.`, { retryAfter });
  }

  return {
    /** How much all callers hold together. */
    taken: () => taken,

    /** How much a caller holds. */
    of: (caller: string) => held.get(caller) ?? 0,

    /**
     * Takes `amount` more for a caller.
     * @throws KaomonError BUSY when there is not enough, TOO_MANY_REQUESTS when it would exceed the caller's share
     */
    take(caller: string, amount: number): void {
      const before = held.get(caller) ?? 0;
      const mine = before + amount;
      const free = total - taken - amount;
      if (free < 0) refuse(true);
      if (before > 0 && free < Math.floor((mine * (1 - share)) / share)) refuse(false);
      held.set(caller, mine);
      taken += amount;
    },

    /** Undoes a {@link give} that came too early: the caller holds it again, full or not. */
    put(caller: string, amount: number): void {
      held.set(caller, (held.get(caller) ?? 0) + amount);
      taken += amount;
    },

    give(caller: string, amount: number): void {
      const left = (held.get(caller) ?? 0) - amount;
      // A caller that holds nothing is forgotten, so that the map stays bounded.
      if (left > 0) held.set(caller, left);
      else held.delete(caller);
      taken -= amount;
    },
  };
}

/** A varying part of {@link Shares} that one caller holds until it ends. */
export interface Hold {
  /** @throws KaomonError as {@link Shares.take}; then nothing changes */
  set(amount: number): void;
  end(): void;
}

/** Begins with nothing held. */
export function holdOf(shares: Pick<Shares, 'take' | 'give'>, caller: string): Hold {
  let amount = 0;
  let hasEnded = false;
  return {
    set(next) {
      if (hasEnded) return;
      if (next > amount) shares.take(caller, next - amount);
      else if (next < amount) shares.give(caller, amount - next);
      amount = next;
    },
    end() {
      hasEnded = true;
      if (amount > 0) shares.give(caller, amount);
      amount = 0;
    },
  };
}
