import { createHash } from 'node:crypto';
import { splitFaceId } from '../gallery/ids.js';
import type { Gallery } from '../gallery/types.js';
import type { SightingStore } from '../sightings/store/client.js';
import type { Happening } from '../sightings/types.js';
import type { Item, Notice, NoticeType, Source } from './types.js';

/** Happenings read at a time, and skipped. */
const READ = 100;
const SKIP = 1000;

/** A position is that of the last happening, and when it was; positions of older versions have no time. */
const toPosition = (seq: number, at: number) => `${seq}.${at}`;
const fromPosition = (position: string) => position.split('.').map(Number) as [seq: number, at?: number];

export interface SightingsSourceOptions {
  store: Pick<SightingStore, 'ask'>;
  gallery: Pick<Gallery, 'person'>;
  /** Tells the happenings of this store from those of another. */
  place: string;
  types: ReadonlySet<NoticeType>;
}

/** Who came and went, by whatever worker it was seen. */
export function createSightingsSource({ store, gallery, place, types }: SightingsSourceOptions): Source {
  const mark = createHash('sha256').update(place).digest('hex').slice(0, 8);

  async function noticeOf({ seq, at, kind }: Happening): Promise<Notice | undefined> {
    // As it is now: it may have been erased, or be somebody else's, since it was read with others.
    const [happening] = (await store.ask('happenings', seq - 1, 1)) as (Happening | undefined)[];
    const sighting = happening?.seq === seq ? happening.sighting : null;
    if (!sighting || (kind !== 'unknown' && sighting.faceid === null)) return undefined;
    const { id, deviceid, faceid, unknown, hasPicture } = sighting;
    const person = faceid === null ? undefined : await gallery.person(faceid).catch(() => undefined);
    const present = await store.ask('present', deviceid).catch(() => undefined);
    const { groupid = '', userid = '' } = splitFaceId(faceid ?? '') ?? {};
    return {
      id: `visit-${mark}-${seq}-${at.toString(36)}`,
      type: kind,
      at: new Date(at).toISOString(),
      ...(faceid !== null && { person: { faceid, groupid, userid, username: person?.username ?? null } }),
      ...{ deviceid, sighting: id },
      ...(present !== undefined && { present }),
      ...(unknown !== null && { unknown }),
      ...(hasPicture && { picture: `/api/v1/sightings/${id}/picture` }),
    };
  }

  function itemOf(happening: Happening): Item {
    const { seq, at, kind } = happening;
    const item = { position: toPosition(seq, at), at };
    return types.has(kind) ? { ...item, make: () => noticeOf(happening) } : item;
  }

  /** The position in the order of the store behind all that was at a time or before it. */
  async function behind(time: number): Promise<number> {
    for (let after = 0; ;) {
      const happenings = await store.ask('happenings', after, SKIP);
      for (const { seq, at } of happenings) {
        if (at > time) return after;
        after = seq;
      }
      if (happenings.length === 0) return after;
    }
  }

  return {
    name: 'sightings',
    now: async () => toPosition(await store.ask('lastHappening'), Date.now()),
    async read(position) {
      const [known, at = 0] = fromPosition(position);
      const last = await store.ask('lastHappening');
      if (last === known) return { items: [], next: position, isLost: false };
      // Redis, where machines share them, has lost some, or another store has taken the place of the one that it is of.
      const isOther = known > last;
      const after = isOther ? await behind(at) : known;
      const happenings = await store.ask('happenings', after, READ);
      // Asked after them, so that no trimming slips in between.
      const isTrimmed = after < (await store.ask('firstHappening'));
      const newest = happenings.at(-1);
      const next = newest ? toPosition(newest.seq, newest.at) : toPosition(after, at);
      return {
        ...{ items: happenings.map(itemOf), next, isLost: isOther || isTrimmed },
        ...(isOther && !newest && { settled: next }),
      };
    },
  };
}
