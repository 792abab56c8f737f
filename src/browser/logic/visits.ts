/** A visit as `GET /api/v1/sightings` answers it. */
export interface Sighting {
  id: number;
  /** The camera; '' where it has no name. */
  deviceid: string;
  /** ISO 8601. */
  first: string;
  last: string;
  frames: number;
  person: { faceid: string; groupid: string; userid: string; username: string } | null;
  distance: number | null;
  /** The stranger's group of visits, such as `u-7`; null where it is not in one. */
  unknown: string | null;
  /** An address; null when none was kept. */
  picture: string | null;
  /** The visit goes on. */
  isOpen: boolean;
}

/**
 * The visits that a page shows. Their order is that of the moment they were loaded in, and stays: what the server tells of
 * a visit later changes it where it stands, and visits that are new wait until somebody wants to see them. So nothing
 * moves under a finger.
 */
export function createVisits() {
  let shown = new Map<number, Sighting>();
  let waiting = new Set<number>();
  /** Deleted here: an answer that was on its way may still have them. */
  const gone = new Set<number>();
  /** The latest that was ever shown: IDs count up. */
  let latest = 0;

  return {
    /** Begins anew with the first page. */
    reset(sightings: readonly Sighting[]): Sighting[] {
      shown = new Map();
      waiting = new Set();
      return this.append(sightings);
    },

    /** Takes the next older page. @returns those that were not there: a visit that goes on moves up at the server */
    append(sightings: readonly Sighting[]): Sighting[] {
      const added = sightings.filter(({ id }) => !shown.has(id) && !gone.has(id));
      for (const each of added) {
        shown.set(each.id, each);
        waiting.delete(each.id);
        latest = Math.max(latest, each.id);
      }
      return added;
    },

    /** Takes the first page as it is now. @returns those shown that have changed */
    refresh(sightings: readonly Sighting[]): Sighting[] {
      const changed: Sighting[] = [];
      // Where visits were deleted, older ones move up into the first page: they are not news.
      const last = sightings.findLastIndex(({ id }) => shown.has(id));
      for (const [i, each] of sightings.entries()) {
        const before = shown.get(each.id);
        if (gone.has(each.id)) continue;
        if (!before) {
          if (i < last || each.id > latest) waiting.add(each.id);
        } else if (JSON.stringify(before) !== JSON.stringify(each)) {
          shown.set(each.id, each);
          changed.push(each);
        }
      }
      return changed;
    },

    /** Takes one as it has become. */
    change(sighting: Sighting): void {
      if (shown.has(sighting.id)) shown.set(sighting.id, sighting);
    },

    hide(id: number): void {
      gone.add(id);
      waiting.delete(id);
    },
    /** What was hidden is there again. */
    unhide(id: number): void {
      gone.delete(id);
    },
    isHidden: (id: number): boolean => gone.has(id),

    get: (id: number): Sighting | undefined => shown.get(id),
    get size(): number {
      return shown.size;
    },
    /** How many are new and not shown. */
    get waiting(): number {
      return waiting.size;
    },
    /** Those shown of an unknown face. */
    ofUnknown: (unknown: string): Sighting[] =>
      [...shown.values()].filter((each) => each.unknown === unknown),
  };
}
