/** Deletes people whose consent is over. */
import type { FastifyBaseLogger } from 'fastify';
import { type AuditEntry, EXPIRY } from '../access/audit.js';
import { consentState } from '../gallery/consent.js';
import { receiptId } from '../gallery/erased.js';
import type { Erased, Gallery, Person } from '../gallery/types.js';
import { createClockDoubt, sinceBoot } from '../platform/clock-doubt.js';
import { KaomonError } from '../platform/errors.js';
import { underLock } from '../platform/files/lock.js';
import { quietMessage } from '../platform/quiet-error.js';

const MINUTE = 60_000;
/** How often is looked, and how soon after a start, milliseconds. */
const EVERY = 60 * MINUTE;
const FIRST = MINUTE;
/** After so many who cannot be deleted the others wait for the next time: the store is away. */
const MOST_FAILED = 5;

export interface ExpiryOptions {
  gallery: Pick<Gallery, 'everyone' | 'removeIf' | 'catchUp'>;
  /** Held by the one worker of the machine that deletes. */
  lockFile: string;
  record: (entry: AuditEntry) => Promise<void>;
  log: Pick<FastifyBaseLogger, 'warn' | 'info'>;
  /** Milliseconds since 1970. */
  date?: () => number;
  /** Milliseconds that have passed, whatever the clock is set to. */
  now?: () => number;
  every?: number;
  first?: number;
}

/**
 * Every hour and after a start one worker of a machine deletes whoever's consent is over, as anybody else would be deleted.
 * The store says at that moment whether it is, so that whoever has renewed it in another worker stays, and of several
 * machines one deletes each person.
 *
 * What is deleted does not come back, so a clock that jumps forward by more than an hour while the server runs is not
 * believed for an hour: whoever sets it back in that time loses nobody. A clock that is set back deletes later.
 */
export function startExpiry(options: ExpiryOptions) {
  const { gallery, lockFile, record, log } = options;
  const { date = () => Date.now(), now = sinceBoot, every = EVERY, first = FIRST } = options;
  const closing = new AbortController();
  const isSure = createClockDoubt(date, now);
  let running: Promise<void> | undefined;
  let warned = false;

  const isOver = ({ consent }: Pick<Person, 'consent'>) => consentState(consent, date()) === 'over';

  async function expire({ faceid, groupid, userid }: Person): Promise<boolean> {
    // The line before says who it was should this process die in between.
    const receipt = receiptId();
    const whom = { groupid, userid, people: [faceid], receipt };
    const entry = { ...EXPIRY, action: 'expired', whom, requestId: receipt } as const;
    await record({ ...entry, outcome: 'begun' });
    let erased: Erased | undefined;
    try {
      erased = await gallery.removeIf(faceid, isOver);
    } catch (error) {
      await record({ ...entry, outcome: 'failed' });
      throw error;
    }
    if (!erased) await record({ ...entry, outcome: 'aborted' });
    else await record({ ...entry, outcome: 'done', erased });
    return erased !== undefined;
  }

  async function look(): Promise<void> {
    await gallery.catchUp();
    let expired = 0;
    const failures: unknown[] = [];
    for await (const person of gallery.everyone({ signal: closing.signal })) {
      if (!isOver(person)) continue;
      if (!isSure() || failures.length >= MOST_FAILED) break;
      try {
        if (await expire(person)) expired += 1;
      } catch (error) {
        // Whoever cannot be deleted, for files that somebody else owns, say, keeps none of the others.
        failures.push(error);
      }
    }
    if (expired > 0) log.info({ expired }, 'People were deleted because their consent is over');
    if (failures.length > 0) throw failures[0];
  }

  async function run(): Promise<void> {
    if (!isSure()) return;
    try {
      await underLock(lockFile, look, { patience: 0 });
      warned = false;
    } catch (error) {
      const isOthers = error instanceof KaomonError && error.code === 'STORE_UNAVAILABLE' && !error.cause;
      if (isOthers || closing.signal.aborted) return;
      if (!warned)
        log.warn({ reason: quietMessage(error) }, 'People whose consent is over cannot be deleted now');
      warned = true;
    }
  }

  function tick(): Promise<void> {
    running ??= run().finally(() => (running = undefined));
    return running;
  }

  const timer = setInterval(() => void tick(), every);
  const start = setTimeout(() => void tick(), first);
  timer.unref();
  start.unref();
  return {
    /** Looks now. Never throws. */
    run: tick,
    async close(): Promise<void> {
      closing.abort();
      clearInterval(timer);
      clearTimeout(start);
      await running;
    },
  };
}
