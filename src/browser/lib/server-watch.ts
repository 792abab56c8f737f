import { call, couldWait } from './api.js';

/** How often a server that answers is asked whether it is there, milliseconds. */
const EVERY = 10_000;
/** Between attempts while it does not answer, milliseconds; the last one repeats. */
const AGAIN = [1000, 2000, 4000, 8000];
/** A server that has not answered by then is away, milliseconds. */
const PATIENCE = 8000;

interface WatchEvents {
  /** Nothing is to be had from the server: what is shown may be old. */
  onAway: () => void;
  onBack: () => void;
}

/** Watches whether the server is there, so that a page does not show what was as what is. */
export function watchServer({ onAway, onBack }: WatchEvents) {
  let away = false;
  let attempts = 0;
  let timer: number | undefined;
  let checks = 0;

  function plan(): void {
    window.clearTimeout(timer);
    // Nobody looks; `visibilitychange` goes on.
    if (document.hidden) return;
    const delay = away ? AGAIN[Math.min(attempts, AGAIN.length - 1)] : EVERY;
    timer = window.setTimeout(() => void check(), delay);
  }

  async function check(): Promise<void> {
    const mine = ++checks;
    window.clearTimeout(timer);
    let error: unknown;
    try {
      await call('GET', '/api/v1/health', { signal: AbortSignal.timeout(PATIENCE) });
    } catch (thrown) {
      error = thrown;
    }
    if (mine !== checks) return;
    attempts = away ? attempts + 1 : 0;
    set(error !== undefined && couldWait(error));
    plan();
  }

  function set(isAway: boolean): void {
    if (isAway === away) return;
    away = isAway;
    if (away) onAway();
    else onBack();
  }

  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) void check();
  });
  window.addEventListener('online', () => void check());
  window.addEventListener('offline', () => void check());
  plan();

  return {
    check: () => void check(),
    /** Tells of an error of another request. @returns whether it means that the server is away */
    failed(error: unknown): boolean {
      if (!couldWait(error)) return false;
      attempts = 0;
      set(true);
      plan();
      return true;
    },
    get away(): boolean {
      return away;
    },
  };
}
