import type { FastifyRateLimitStore, FastifyRateLimitStoreCtor } from '@fastify/rate-limit';

/** Callers that are counted at once; beyond them the one that has been counted longest is forgotten. */
const CALLERS = 10_000;

/**
 * A store for @fastify/rate-limit that goes by a clock which nobody sets. Its own goes by the time of day: when that is
 * set back by a day, whoever is over the limit at that moment is refused for a day.
 * @param now milliseconds
 */
export function rateStore(now: () => number = () => performance.now()): FastifyRateLimitStoreCtor {
  return class Store implements FastifyRateLimitStore {
    readonly #windows = new Map<string, { current: number; began: number }>();

    incr(
      key: string,
      callback: (error: Error | null, result?: { current: number; ttl: number }) => void,
      timeWindow: number,
    ): void {
      const time = now();
      let window = this.#windows.get(key);
      if (!window || time - window.began >= timeWindow) {
        window = { current: 0, began: time };
        this.#windows.delete(key);
        this.#windows.set(key, window);
        const [oldest] = this.#windows.keys();
        if (this.#windows.size > CALLERS) this.#windows.delete(oldest);
      }
      window.current += 1;
      callback(null, { current: window.current, ttl: timeWindow - (time - window.began) });
    }

    /** For a route with a limit of its own. */
    child(): FastifyRateLimitStore {
      return new Store();
    }
  };
}
