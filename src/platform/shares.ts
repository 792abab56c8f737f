import { KaomonError } from './errors.js';

/** Of so much of anything one caller may have its part; see {@link createShares}. */
export interface SharesOptions {
  total: number;
  /** The most that a lone caller may have, a part of `total`, 0 to 1; 1: all of it. */
  share: number;
  /** What is said to who gets none, because there is no more, and because it would be more than a share. */
  full: string;
  mine: string;
  /** Seconds after which some may be free again. */
  retryAfter: number;
}

/** What callers hold of something that there is only so much of. */
export type Shares = ReturnType<typeof createShares>;

/**
 * Deals out what there is only so much of: places in a queue, streams, bytes. Nobody's part is fixed: a caller may
 * hold `share / (1 - share)` times what is left free (of 64 and a share of 3/4: a lone one 48, two 28 and 27,
 * three 19 or 20), so that whoever comes next still finds something, however greedy those before were. (Dynamic thresholds,
 * as switches deal out their buffers: Choudhury and Hahne 1998.) What one caller holds nothing of it gets while there is
 * any.
 */
export function createShares({ total, share, full, mine: enough, retryAfter }: SharesOptions) {
  const held = new Map<string, number>();
  let taken = 0;

  function refuse(isFull: boolean): never {
    const code = isFull ? 'BUSY' : 'TOO_MANY_REQUESTS';
    throw new KaomonError(code, `${isFull ? full : enough}: try again in ${retryAfter} s.`, { retryAfter });
  }

  return {
    /** How much everybody holds together. */
    taken: () => taken,

    /** How much a caller holds. */
    of: (caller: string) => held.get(caller) ?? 0,

    /**
     * Takes so much more for a caller.
     * @throws KaomonError BUSY when there is not so much, TOO_MANY_REQUESTS when it would be too much for one
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

    /** Takes back what was given too early: whoever had it has it again, full or not. */
    put(caller: string, amount: number): void {
      held.set(caller, (held.get(caller) ?? 0) + amount);
      taken += amount;
    },

    /** Gives so much back. */
    give(caller: string, amount: number): void {
      const left = (held.get(caller) ?? 0) - amount;
      // Whoever holds nothing is forgotten: there are never more names than things.
      if (left > 0) held.set(caller, left);
      else held.delete(caller);
      taken -= amount;
    },
  };
}

/** Something of {@link Shares} that grows and shrinks, and is given back once. */
export interface Hold {
  /** @throws KaomonError as {@link Shares.take}; then it holds what it held */
  set(amount: number): void;
  end(): void;
}

/** A hold of nothing, to begin with. */
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
