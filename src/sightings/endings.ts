/** How faceids came to be nobody's, or somebody else's, by the event log. */
import type { GalleryEvent } from '../events/event.js';
import type { EventLog } from '../events/log.js';

/** Somebody was deleted, moved or merged. */
export interface Ending {
  faceid: string;
  /** Whom its sightings are of since; absent: they were to be erased. */
  to?: string;
  /** Only visits that began by then are meant, milliseconds since 1970: later ones are of who was given the ID next. */
  before?: number;
}

/**
 * @returns in order: those of the given IDs, and of the IDs that people got. Only what the log still holds.
 * @throws when the log cannot be read
 */
export type FindEndings = (faceids: readonly string[]) => Promise<Ending[]>;

/**
 * Finds them in the event log, which is opened for the time of the search: hardly ever. Of whatever pack: people are deleted
 * and moved in all of them at once.
 */
export function createFindEndings(open: () => Promise<Pick<EventLog, 'read' | 'close'>>): FindEndings {
  return async (faceids) => {
    const log = await open();
    try {
      return endingsAmong(await eventsOf(log), faceids);
    } finally {
      await log.close();
    }
  };
}

async function eventsOf(log: Pick<EventLog, 'read'>): Promise<GalleryEvent[]> {
  const events: GalleryEvent[] = [];
  for (let position = ''; ;) {
    const { entries, next } = await log.read(position);
    for (const { event } of entries) if (isOfPerson(event)) events.push(event);
    if (next === position) return events;
    position = next;
  }
}

const KINDS: ReadonlySet<string> = new Set(['created', 'enrolled', 'removed', 'moved', 'merged', 'given-up']);
const isOfPerson = ({ kind, will, faceid }: GalleryEvent): boolean =>
  faceid !== undefined && KINDS.has(will ?? kind);

/**
 * What was done, in order. A change that a dying process left open counts where nothing has been heard since of whom it is
 * about: if that person is gone, it was made.
 */
function* doneAmong(events: readonly GalleryEvent[], faceids: ReadonlySet<string>) {
  const closed = new Set(events.map(({ of }) => of));
  for (const [i, { kind, will, uid, at, faceid = '', from = '' }] of events.entries()) {
    if (kind === 'given-up') continue;
    if (kind !== 'begun') yield { kind, at, faceid, from };
    if (kind !== 'begun' || !will || closed.has(uid) || !faceids.has(from)) continue;
    const isLast = !events.slice(i + 1).some((event) => event.faceid === from || event.from === from);
    if (isLast) yield { kind: will, at, faceid, from };
  }
}

function endingsAmong(events: readonly GalleryEvent[], faceids: readonly string[]): Ending[] {
  const meant = new Set(faceids);
  const endings: Ending[] = [];
  /** Of each faceid: its ending so far that may be its last. */
  const last = new Map<string, { ending: Ending; at: number }>();
  for (const { kind, at, faceid, from } of doneAmong(events, new Set(faceids))) {
    const isRename = kind === 'moved' || kind === 'merged';
    const earlier = last.get(faceid);
    // Given to somebody again; by a clock that was set back since, earlier than it was taken.
    if (earlier && kind !== 'removed') earlier.ending.before ??= Math.min(earlier.at, Date.parse(at));
    const gone = isRename ? from : kind === 'removed' ? faceid : '';
    if (!meant.has(gone)) continue;
    const ending: Ending = isRename ? { faceid: gone, to: faceid } : { faceid: gone };
    endings.push(ending);
    last.set(gone, { ending, at: Date.parse(at) });
    if (isRename) meant.add(faceid);
  }
  return endings;
}
