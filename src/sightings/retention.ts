import type { FastifyBaseLogger } from 'fastify';
import type { Gallery } from '../gallery/types.js';
import type { Config } from '../settings/config.js';
import { createClockDoubt, sinceBoot } from '../platform/clock-doubt.js';
import { quietMessage } from '../platform/quiet-error.js';
import type { Ending, FindEndings } from './endings.js';
import type { SightingStore } from './store/client.js';

const DAY = 86_400_000;
/** How often what is too old is looked for, milliseconds. */
const EVERY = 600_000;
/** The most sightings that are erased in one transaction: other workers wait for it. */
const AT_ONCE = 200;
/** The most people who are looked up in the gallery, or erased, before others have a turn. */
const PEOPLE_AT_ONCE = 500;

export type RetentionSettings = Pick<Config, 'SIGHTINGS_DAYS' | 'UNKNOWNS_DAYS' | 'SIGHTING_PICTURES_DAYS'>;

/** How long what is kept, days. */
export function daysOf(settings: RetentionSettings): RetentionOptions['days'] {
  const { SIGHTINGS_DAYS: people, UNKNOWNS_DAYS: strangers } = settings;
  return { people, strangers, pictures: settings.SIGHTING_PICTURES_DAYS ?? Math.max(people, strangers) };
}

export interface RetentionOptions {
  store: Pick<SightingStore, 'ask'>;
  gallery: Pick<Gallery, 'person'>;
  /** Days that sightings of people and of strangers are kept, and their pictures. */
  days: { people: number; strangers: number; pictures: number };
  /** Follows what has become of people, so that nobody who was moved is taken for gone. @throws when it cannot */
  catchUp: () => Promise<void>;
  /** What became of people while nobody followed the gallery. Left out: unknown. @throws when that cannot be told now */
  findEndings?: FindEndings | undefined;
  log: Pick<FastifyBaseLogger, 'warn' | 'info'>;
  /** Milliseconds since 1970. */
  date?: () => number;
  /** Milliseconds that have passed, whatever the clock is set to. */
  now?: () => number;
  /** Milliseconds between two runs. */
  every?: number;
}

/**
 * Erases what is older than was agreed, from the start on and every ten minutes, and what is left of people who are not
 * in the gallery any more: a worker may have died between deleting somebody and erasing the sightings. Every worker does
 * so; twice does no harm. Whoever was only moved, while the sightings could not follow or nothing ran, keeps them. By a
 * clock that has just jumped nothing is too old.
 */
export function startRetention(options: RetentionOptions) {
  const { store, gallery, days, catchUp, findEndings, log, every = EVERY } = options;
  const { date = () => Date.now(), now = sinceBoot } = options;
  const isSure = createClockDoubt(date, now);
  let isClosed = false;
  let running: Promise<void> | undefined;
  let warned = false;
  let hasFollowed = false;

  async function prune(): Promise<number> {
    // One time for all: the clock is believed as it was a moment ago.
    const at = date();
    const before = { people: at - days.people * DAY, strangers: at - days.strangers * DAY };
    const oldest = at - Math.max(days.people, days.strangers) * DAY;
    let erased = 0;
    for (let some = AT_ONCE; some >= AT_ONCE && !isClosed; erased += some)
      some = await store.ask('prune', before, AT_ONCE);
    const beforeThen = at - days.pictures * DAY;
    for (let some = AT_ONCE; some >= AT_ONCE && !isClosed; erased += some)
      some = await store.ask('prunePictures', beforeThen, AT_ONCE);
    for (let some = AT_ONCE; some >= AT_ONCE && !isClosed;)
      some = await store.ask('trimHappenings', oldest, AT_ONCE);
    if (!isClosed) await store.ask('pruneUnknowns', oldest);
    return erased;
  }

  async function* pages(): AsyncGenerator<string[]> {
    for (let after = ''; !isClosed;) {
      const faceids = await store.ask('faceids', after, PEOPLE_AT_ONCE);
      yield faceids;
      if (faceids.length < PEOPLE_AT_ONCE) break;
      after = faceids[faceids.length - 1];
    }
  }

  /** Does what nobody followed. @returns how many sightings were erased */
  async function follow(faceids: readonly string[]): Promise<number> {
    if (!findEndings || faceids.length === 0) return 0;
    let erased = 0;
    const deleted: Omit<Ending, 'to'>[] = [];
    const erase = async () => {
      while (deleted.length > 0)
        erased += (await store.ask('erasePeople', deleted.splice(0, PEOPLE_AT_ONCE))).sightings;
    };
    for (const { to, ...whose } of await findEndings(faceids)) {
      // The gallery knows better than the log, which may have lost something.
      if (whose.before === undefined && (await gallery.person(whose.faceid))) continue;
      if (to === undefined) {
        deleted.push(whose);
        continue;
      }
      await erase();
      await store.ask('renamePerson', whose.faceid, to, whose.before);
    }
    await erase();
    return erased;
  }

  /** What happened before the start: a program may have changed the gallery, and given an ID to somebody else. */
  async function followEarlier(): Promise<number> {
    const faceids: string[] = [];
    for await (const some of pages()) faceids.push(...some);
    return follow(faceids);
  }

  async function eraseLeft(): Promise<number> {
    let erased = 0;
    for await (const faceids of pages()) {
      const gone: string[] = [];
      for (const faceid of faceids) if (!(await gallery.person(faceid))) gone.push(faceid);
      if (gone.length === 0) continue;
      erased += await follow(gone);
      erased += (
        await store.ask(
          'erasePeople',
          gone.map((faceid) => ({ faceid })),
        )
      ).sightings;
    }
    return erased;
  }

  async function run(): Promise<void> {
    try {
      // What is too old needs nobody who may be away.
      const old = isSure() ? await prune() : 0;
      if (old > 0 && !isClosed) await store.ask('clean');
      await catchUp();
      let left = 0;
      if (!hasFollowed) left += await followEarlier();
      hasFollowed = true;
      left += await eraseLeft();
      if (left > 0 && !isClosed) await store.ask('clean');
      if (old + left > 0) log.info({ old, left }, 'Sightings were erased');
      warned = false;
    } catch (error) {
      if (!warned && !isClosed)
        log.warn({ reason: quietMessage(error) }, 'Old sightings cannot be erased at the moment');
      warned = true;
    }
  }

  function tick(): Promise<void> {
    running ??= run().finally(() => (running = undefined));
    return running;
  }

  const timer = setInterval(() => void tick(), every);
  timer.unref();
  void tick();
  return {
    /** Does it now. Never throws. */
    run: tick,
    async close(): Promise<void> {
      isClosed = true;
      clearInterval(timer);
      await running;
    },
  };
}
