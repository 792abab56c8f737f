import { LogAway, type SharedLog } from './log.js';

/** Machines end each other's visits 90 seconds after they were last written: two may each be wrong by so much, milliseconds. */
const MOST = 30_000;

/** Warns where this machine's clock is not that of Redis, which the others have too. */
export async function compareClocks(
  log: Pick<SharedLog, 'time'>,
  warn: (message: string) => void,
  date: () => number = Date.now,
): Promise<void> {
  try {
    const off = date() - (await log.time());
    if (Math.abs(off) > MOST)
      warn(
        `This machine’s clock differs from that of Redis by ${Math.round(off / 1000)} s: visits end too early or too late until the clocks of all machines are synchronised.`,
      );
  } catch (error) {
    if (!(error instanceof LogAway)) throw error;
  }
}
