import { uptime } from 'node:os';

/**
 * Milliseconds since the machine was started, also those in which it slept: `performance.now()` stands still meanwhile, so that
 * each awakening would look like a jump of the clock.
 */
export const sinceBoot = (): number => uptime() * 1000;

/** A clock that has jumped forward by more than this is not believed for so long, milliseconds. */
const JUMP = 3_600_000;

/**
 * For who deletes by the clock, which does not come back: a clock that jumps forward by more than an hour while the server
 * runs is not believed for an hour.
 * @param date milliseconds since 1970 @param now milliseconds that have passed, whatever the clock is set to
 * @returns whether the clock may be believed; it must be asked before each time that something is deleted
 */
export function createClockDoubt(date: () => number, now: () => number): () => boolean {
  let seen = { date: date(), now: now() };
  let doubtUntil = -Infinity;
  return () => {
    const at = { date: date(), now: now() };
    const jumped = at.date - seen.date - (at.now - seen.now);
    if (jumped > JUMP) doubtUntil = at.now + JUMP;
    else if (jumped < -JUMP) doubtUntil = -Infinity;
    seen = at;
    return at.now >= doubtUntil;
  };
}
