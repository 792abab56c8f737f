import type {
  Base,
  BaseGroup,
  BasePeople,
  BasePerson,
  BaseVectors,
  Range,
} from '../../src/gallery/base/base.js';
import { squaredDistance } from '../../src/gallery/distance.js';
import { splitFaceId } from '../../src/gallery/ids.js';
import { searchKey } from '../../src/gallery/names.js';
import type { StoredPerson } from '../../src/gallery/store/store.js';
import type { Group } from '../../src/gallery/types.js';

export interface PlainBaseOptions {
  number?: number;
  position?: string;
  /** Default: with a template of each person who has several faces. */
  templates?: boolean;
  groups?: Group[];
  otherPacks?: Record<string, number>;
  /** Awaited by every search between its beginning and its answer. */
  pause?: () => Promise<unknown>;
}

/** A base, and what became of it. */
export interface PlainBase extends Base {
  isClosed(): boolean;
  /** The rows that may no longer be found. */
  removed: ReadonlySet<number>;
}

/** A mean at unit length; undefined where it has no direction. */
function templateOf(vectors: readonly Float32Array[]): Float32Array | undefined {
  if (vectors.length < 2) return undefined;
  const sum = new Float64Array(vectors[0].length);
  for (const vector of vectors) vector.forEach((value, i) => (sum[i] += value));
  const length = Math.hypot(...sum);
  return length < 0.01 * vectors.length ? undefined : Float32Array.from(sum, (value) => value / length);
}

/** A base in memory, of a list of people, searched exactly in plain TypeScript: the reference for the mapped one. */
export function plainBase(given: readonly StoredPerson[], options: PlainBaseOptions = {}): PlainBase {
  const { number = 1, position = '', templates = true, groups: storedGroups = [], otherPacks = {} } = options;
  const vectors: Float32Array[] = [];
  const owners: number[] = [];
  const removed = new Set<number>();
  let searches = 0;
  let isClosed = false;
  const people = [...given]
    .sort((a, b) => (a.faceid < b.faceid ? -1 : 1))
    .map(({ faceid, username, metadata, consent, faces }, i) => {
      const first = vectors.length;
      const own = faces.map(({ vector }) => vector.slice());
      const template = templates ? templateOf(own) : undefined;
      vectors.push(...own, ...(template ? [template] : []));
      while (owners.length < vectors.length) owners.push(i);
      const stored = faces.map(({ id, enrolledAt, automatic, hasPicture }) => {
        return { id, faceid, enrolledAt, automatic, hasPicture };
      });
      const userid = splitFaceId(faceid)?.userid ?? '';
      const key = `${searchKey(username || userid)}\0${searchKey(userid)}`;
      const profile = { username, metadata, consent };
      return { faceid, ...profile, faces: stored, rows: { first, end: vectors.length }, key };
    });
  const groups = new Map<string, BaseGroup>();
  for (const [i, { faceid, faces, rows }] of people.entries()) {
    const groupid = splitFaceId(faceid)?.groupid ?? '';
    const group = groups.get(groupid);
    groups.set(groupid, {
      people: { first: group?.people.first ?? i, end: i + 1 },
      rows: { first: group?.rows.first ?? rows.first, end: rows.end },
      faces: (group?.faces ?? 0) + faces.length,
    });
  }

  const checkOpen = () => {
    if (isClosed) throw new Error('The base is closed.');
  };
  const firstFrom = (faceid: string) => {
    checkOpen();
    let [low, high] = [0, people.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (people[middle].faceid < faceid) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const basePeople: BasePeople = {
    ...{ number, position, storedGroups, otherPacks, people: people.length, rows: vectors.length },
    faces: people.reduce((sum, { faces }) => sum + faces.length, 0),
    indexOf(faceid) {
      const at = firstFrom(faceid);
      return people.at(at)?.faceid === faceid ? at : -1;
    },
    firstFrom,
    faceidAt(at) {
      checkOpen();
      return people[at].faceid;
    },
    personAt(at): BasePerson {
      checkOpen();
      const { faceid, username, metadata, faces, rows } = people[at];
      return structuredClone({ faceid, username, metadata, faces, rows });
    },
    ownerOf(row) {
      checkOpen();
      return owners[row];
    },
    groups: () => groups,
    find(key, from, end) {
      checkOpen();
      const at = people.slice(from, end).findIndex((person) => person.key.includes(key));
      return at < 0 ? -1 : from + at;
    },
  };

  const isIn = (row: number, ranges: readonly Range[] | undefined) =>
    !ranges || ranges.some(({ first, end }) => row >= first && row < end);

  const baseVectors: BaseVectors = {
    kind: 'plain',
    rows: vectors.length,
    recall: 1,
    async search(query, k, ranges) {
      checkOpen();
      const copy = query.slice();
      const hits = vectors
        .map((vector, row) => ({ row, distance: squaredDistance(vector, copy) }))
        .filter(({ row }) => !removed.has(row) && isIn(row, ranges))
        .sort((a, b) => a.distance - b.distance)
        .slice(0, k);
      searches += 1;
      try {
        await options.pause?.();
      } finally {
        searches -= 1;
      }
      checkOpen();
      return {
        rows: Uint32Array.from(hits, ({ row }) => row),
        distances: Float32Array.from(hits, ({ distance }) => distance),
      };
    },
    remove({ first, end }) {
      checkOpen();
      for (let row = first; row < end; row++) removed.add(row);
    },
    vectorAt(row) {
      checkOpen();
      return vectors[row].slice();
    },
    copyRows({ first, end }, into, at) {
      checkOpen();
      for (let row = first; row < end; row++)
        into.set(vectors[row], (at + row - first) * vectors[row].length);
    },
    close: () => Promise.resolve(),
  };

  return {
    people: basePeople,
    vectors: baseVectors,
    removed,
    isClosed: () => isClosed,
    close() {
      if (searches > 0) return Promise.reject(new Error('A search is still running.'));
      isClosed = true;
      return Promise.resolve();
    },
  };
}
