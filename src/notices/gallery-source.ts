import type { GalleryEvent } from '../events/event.js';
import type { EventLog } from '../events/log.js';
import { splitFaceId } from '../gallery/ids.js';
import type { Gallery } from '../gallery/types.js';
import { CHANGE_NAMES, type Item, type Notice, type NoticeType, type Source } from './types.js';

/** How long a position is held, milliseconds. */
const HOLD = 60_000;

export interface GallerySourceOptions {
  log: Pick<EventLog, 'start' | 'read' | 'register'>;
  gallery: Pick<Gallery, 'person'>;
  /** Its people alone are told of. */
  pack: string;
  types: ReadonlySet<NoticeType>;
}

/** The gallery's changes, from the event log: by whatever worker or command, on whatever machine. */
export function createGallerySource({ log, gallery, pack, types }: GallerySourceOptions): Source {
  async function noticeOf(event: GalleryEvent, type: NoticeType): Promise<Notice> {
    const { uid: id, at, groupid, faceid, from, face } = event;
    const about = { ...(from !== undefined && { from }), ...(face !== undefined && { face }) };
    if (faceid === undefined) return { id, type, at, groupid, ...about };
    // Without an answer the notice goes out without a name: who is told may ask for it later.
    const person = await gallery.person(faceid).catch(() => undefined);
    const { userid = '' } = splitFaceId(faceid) ?? {};
    const hasPicture = person?.faces.find(({ id: its }) => its === face)?.hasPicture ?? false;
    return {
      ...{ id, type, at, ...about },
      person: { faceid, groupid, userid, username: person?.username ?? null },
      ...(hasPicture && { picture: `/api/v1/people/${faceid}/faces/${face}/picture` }),
    };
  }

  function itemOf(event: GalleryEvent, position: string): Item {
    const at = Date.parse(event.at);
    const { kind } = event;
    if (kind === 'begun' || kind === 'given-up' || event.pack !== pack) return { position, at };
    const type = CHANGE_NAMES[kind];
    return types.has(type) ? { position, at, make: () => noticeOf(event, type) } : { position, at };
  }

  return {
    name: 'gallery',
    now: () => log.start(),
    async read(position) {
      const { entries, next, isLost } = await log.read(position);
      // What has begun may not be on the disk yet.
      const isSettled = entries.at(-1)?.event.kind !== 'begun';
      return {
        items: entries
          .filter(({ event }) => event.kind !== 'begun')
          .map(({ event, id }) => itemOf(event, id)),
        ...{ next, isLost },
        ...(isSettled && { settled: next }),
      };
    },
    hold: (name, position) => log.register(name, position, HOLD),
  };
}
