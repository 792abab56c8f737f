/**
 * Strangers as groups of visits: which faces are of one unknown person. Pure and incremental: a face is placed when it
 * comes, for good, in a time that the number of groups bounds. Average linkage (Sokal and Michener 1958): what counts is
 * the mean of the squared L2 distances between all faces of two groups, which for unit vectors is 2 - 2 a·b of their
 * means. So nothing but a sum and a count is kept of a group, one strange picture chains no two people together, and the
 * more faces a group has, the surer it is whom it shows.
 */

/** When groups are one person; squared L2 of unit vectors. See thresholds.ts. */
export interface JoinLimits {
  /** Two single faces are of one person when they are nearer than this. */
  readonly single: number;
  /** The same for two groups of very many faces, whose mean distance scatters less. At least `single`. */
  readonly many: number;
}

export interface ClustersOptions {
  /** Numbers in one vector. */
  length: number;
  /** Among so many groups: each is one more that a face may be near to by chance. */
  limitsFor: (groups: number) => JoinLimits;
  /** The most groups to compare with: when another comes, the one that was touched longest ago is forgotten here. */
  most: number;
}

/** Where a face was placed. */
export interface Placing {
  /** The group that it is in now. */
  readonly id: number;
  /** Mean squared L2 distance to the faces that were there; undefined for a new group. */
  readonly distance: number | undefined;
  /** Groups that turned out to be the same person by this face: they are part of `id` now. */
  readonly joined: readonly number[];
}

/**
 * A group that was joined with another by itself has at most so many faces: two that have more are shown side by side to
 * somebody who can tell, because a wrong joining would cost two histories.
 */
export const MOST_JOINED = 3;

const NONE = -1;
const FIRST_ROWS = 64;

/** See {@link createClusters}. */
export type Clusters = ReturnType<typeof createClusters>;

/**
 * The groups in memory: a matrix with the sum of each one's vectors. Takes `4 * length` bytes a group, and a face costs one
 * or two passes over the matrix; nothing else is allocated for one.
 */
export function createClusters({ length, limitsFor, most }: ClustersOptions) {
  let sums = new Float32Array(Math.min(most, FIRST_ROWS) * length);
  /** By row, as all of these. */
  let counts = new Uint32Array(Math.min(most, FIRST_ROWS));
  const ids: number[] = [];
  /** Not joined with another group by itself: somebody has decided on it. */
  const isFixed: boolean[] = [];
  /** Group -> row, the one that was touched longest ago first. */
  const rows = new Map<number, number>();
  let limits = limitsFor(1);
  /** For how many groups they are. */
  let limitsOf = 1;
  /** What was found last; one object, because it is asked for every face. */
  const found = { row: NONE, distance: 0 };

  function grow(): void {
    const capacity = Math.min(most, counts.length * 2);
    const wider = new Float32Array(capacity * length);
    wider.set(sums);
    sums = wider;
    const more = new Uint32Array(capacity);
    more.set(counts);
    counts = more;
  }

  function touch(id: number, row: number): void {
    rows.delete(id);
    rows.set(id, row);
  }

  function remove(id: number): void {
    const row = rows.get(id);
    if (row === undefined) return;
    rows.delete(id);
    const last = ids.length - 1;
    if (row !== last) {
      sums.copyWithin(row * length, last * length, (last + 1) * length);
      counts[row] = counts[last];
      ids[row] = ids[last];
      isFixed[row] = isFixed[last];
      // In its place in the order of the map, where a key that is there already stays.
      rows.set(ids[row], row);
    }
    ids.pop();
    isFixed.pop();
  }

  function append(id: number, sum: Float32Array, count: number, fixed: boolean): number {
    if (ids.length >= most) {
      const [oldest] = rows.keys();
      remove(oldest);
    }
    if (ids.length >= counts.length) grow();
    const row = ids.length;
    sums.set(sum, row * length);
    counts[row] = count;
    ids.push(id);
    isFixed.push(fixed);
    rows.set(id, row);
    return row;
  }

  /** Whether two groups may be joined without anybody being asked. */
  function mayJoin(row: number, other: number): boolean {
    return !isFixed[row] && !isFixed[other] && Math.min(counts[row], counts[other]) <= MOST_JOINED;
  }

  /** A single face would have been put into the other group when it came: comparing all of them again shows nothing. */
  function isSettled(row: number, other: number): boolean {
    return Math.min(counts[row], counts[other]) === 1 && mayJoin(row, other);
  }

  /**
   * Finds the group that a face, or another group, is most clearly part of: the farthest below the limit.
   * @param from where its sum of `count` unit vectors begins in `vectors`
   * @param own the row of the group itself; NONE: it is a face
   * @param isAsked of a group: also those that may not be joined with it by themselves
   * @returns {@link found}
   */
  function findNearest(
    vectors: Float32Array,
    from: number,
    count: number,
    own: number,
    isAsked = false,
  ): typeof found {
    if (limitsOf !== ids.length) limits = limitsFor((limitsOf = ids.length));
    found.row = NONE;
    let widest = 0;
    for (let row = 0, at = 0; row < ids.length; row++, at += length) {
      if (own !== NONE && (row === own || (isAsked ? isSettled(row, own) : !mayJoin(row, own)))) continue;
      const pairs = counts[row] * count;
      const distance = 2 - (2 * dot(sums, at, vectors, from, length)) / pairs;
      const room = limitFor(limits, pairs) - distance;
      if (room <= widest) continue;
      widest = room;
      found.row = row;
      found.distance = distance;
    }
    return found;
  }

  /** @param from where the sum of `count` vectors begins in `vectors` */
  function addTo(row: number, vectors: Float32Array, from: number, count: number): void {
    const to = row * length;
    for (let i = 0; i < length; i++) sums[to + i] += vectors[from + i];
    counts[row] += count;
  }

  /** Joins a group with those that are the same person, one after another. @returns the group's ID, and theirs */
  function joinOthers(first: number): { id: number; joined: number[] } {
    let id = first;
    const joined: number[] = [];
    for (;;) {
      const row = rows.get(id) ?? NONE;
      const other = findNearest(sums, row * length, counts[row], row).row;
      if (other === NONE) return { id, joined };
      // The larger one keeps its ID; of equals the older, which somebody may have seen.
      const isKept = counts[row] > counts[other] || (counts[row] === counts[other] && id < ids[other]);
      const [into, from] = isKept ? [row, other] : [other, row];
      const gone = ids[from];
      id = ids[into];
      addTo(into, sums, from * length, counts[from]);
      touch(id, into);
      remove(gone);
      joined.push(gone);
    }
  }

  return {
    /** How many groups there are. */
    size: () => ids.length,

    has: (id: number): boolean => rows.has(id),

    /**
     * Takes a group as it is elsewhere, instead of what is known of it here.
     * @param sum of its vectors; copied @param count how many, 1 or more
     * @param fixed it is joined with no other by itself
     */
    put(id: number, sum: Float32Array, count: number, fixed = false): void {
      const row = rows.get(id);
      if (row === undefined) {
        append(id, sum, count, fixed);
        return;
      }
      sums.set(sum, row * length);
      counts[row] = count;
      isFixed[row] = fixed;
      touch(id, row);
    },

    remove,

    /** The group that is as near as one person's, and was not joined with this one by itself; undefined: there is none. */
    like(id: number): number | undefined {
      const own = rows.get(id);
      if (own === undefined) return undefined;
      const { row } = findNearest(sums, own * length, counts[own], own, true);
      return row === NONE ? undefined : ids[row];
    },

    /**
     * Finds the group of a face and puts it there, or makes a new one.
     * @param vector unit length; only read
     * @param makeId called where the face is in no group: the ID of the new one, of which there is none yet
     */
    place(vector: Float32Array, makeId: () => number): Placing {
      const { row, distance } = findNearest(vector, 0, 1, NONE);
      if (row === NONE) {
        const id = makeId();
        append(id, vector, 1, false);
        return { id, distance: undefined, joined: [] };
      }
      addTo(row, vector, 0, 1);
      touch(ids[row], row);
      return { distance, ...joinOthers(ids[row]) };
    },

    /** Joins a group that has come back with those that are the same person. @returns the group's ID, and theirs */
    join: (id: number): { id: number; joined: number[] } =>
      rows.has(id) ? joinOthers(id) : { id, joined: [] },

    /** The sum of a group's vectors, which is the caller's, and their number; undefined where it is not known here. */
    read(id: number): { sum: Float32Array; count: number } | undefined {
      const row = rows.get(id);
      if (row === undefined) return undefined;
      return { sum: sums.slice(row * length, (row + 1) * length), count: counts[row] };
    },
  };
}

/** @param pairs of faces behind the mean distance, 1 or more */
function limitFor({ single, many }: JoinLimits, pairs: number): number {
  return many - (many - single) / Math.sqrt(pairs);
}

/** The inner product of two parts of matrices. Four sums at once, which the processor adds side by side. */
function dot(a: Float32Array, atA: number, b: Float32Array, atB: number, length: number): number {
  let sum0 = 0;
  let sum1 = 0;
  let sum2 = 0;
  let sum3 = 0;
  const whole = length - (length % 4);
  let i = 0;
  for (; i < whole; i += 4) {
    sum0 += a[atA + i] * b[atB + i];
    sum1 += a[atA + i + 1] * b[atB + i + 1];
    sum2 += a[atA + i + 2] * b[atB + i + 2];
    sum3 += a[atA + i + 3] * b[atB + i + 3];
  }
  for (; i < length; i++) sum0 += a[atA + i] * b[atB + i];
  return sum0 + sum1 + sum2 + sum3;
}
