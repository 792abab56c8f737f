import { createHash } from 'node:crypto';
import { splitFaceId } from '../gallery/ids.js';
import type { Gallery } from '../gallery/types.js';
import type { SightingStore } from '../sightings/store/client.js';
import type { Happening } from '../sightings/types.js';
import type { Item, Notice, NoticeType, Source } from './types.js';

/** Happenings read at a time. */
const READ = 100;

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
    const item = { position: String(seq), at };
    return types.has(kind) ? { ...item, make: () => noticeOf(happening) } : item;
  }

  return {
    name: 'sightings',
    now: async () => String(await store.ask('lastHappening')),
    async read(position) {
      let after = Number(position);
      const last = await store.ask('lastHappening');
      if (last === after) return { items: [], next: position, isLost: false };
      // Another store has taken the place of the one that the position is of.
      const isOther = after > last;
      if (isOther) after = 0;
      const happenings = await store.ask('happenings', after, READ);
      // Asked after them, so that no trimming slips in between.
      const isTrimmed = after < (await store.ask('firstHappening'));
      const next = String(happenings.at(-1)?.seq ?? after);
      return { items: happenings.map(itemOf), next, isLost: isOther || isTrimmed };
    },
  };
}
