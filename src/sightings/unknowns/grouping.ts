/** Puts strangers' sightings into groups, in the store's thread and inside its transactions. */
import type { EnrolLimits } from '../../identity/fit-to-enrol.js';
import type { Sql } from '../store/database.js';
import { toBlob, toVector } from '../store/rows.js';
import type { Vote } from '../types.js';
import { createClusters } from './cluster.js';
import { isFit, TWICE_WITHIN } from './gate.js';
import { becomePart } from './group-rows.js';
import { toUnknownId } from './ids.js';
import { joinLimits, type Measured } from './limits.js';

/** What the grouping needs to know: plain data, sent to the thread. */
export interface GroupingSettings {
  /** Numbers in one vector. */
  length: number;
  pack: Measured;
  /** What a face must be like: as one to enrol. */
  limits: EnrolLimits;
}

/** Nothing is like anything: every stranger is alone. */
export const NO_GROUPING: GroupingSettings = {
  length: 0,
  pack: { thresholds: { identical: 0, sure: 0 } },
  limits: { minSize: Infinity, minSharpness: Infinity, maxYaw: 0, maxPitch: 0, maxRoll: 0 },
};

/** The most groups to compare a face with: 20 MB where vectors have 512 numbers, and some 5 ms a face. */
export const MOST_GROUPS = 10_000;
/** The most faces by which a group is known when its sum is made anew: the best ones. */
const MOST_FACES = 100;

interface SightingRow {
  faceid: string | null;
  fits: number;
  first: number;
  last: number;
  score: number;
  size: number | null;
  sharpness: number | null;
  yaw: number | null;
  pitch: number | null;
  roll: number | null;
  unknown: string | null;
  is_open: number;
  is_settled: number;
  placed: number | null;
}

interface GroupRow {
  id: number;
  rev: number;
  sum: Uint8Array | null;
  faces: number;
  is_ignored: number;
  part_of: number | null;
}

/** See {@link createGrouping}. */
export type Grouping = ReturnType<typeof createGrouping>;

/**
 * The file is the truth, and each worker's thread has the groups' sums in memory. A worker writes in a transaction, in which
 * it first learns what the others did: so no two make a group of one stranger.
 */
export function createGrouping(sql: Sql, { length, pack, limits }: GroupingSettings) {
  const open = () =>
    createClusters({ length, limitsFor: (groups) => joinLimits(pack, groups), most: MOST_GROUPS });
  let clusters = open();
  /** What this worker knows of; -1: nothing yet. */
  let known = -1;

  /** Within a transaction: learns what other workers did, and makes sums that are missing. */
  function learn(): void {
    const rows =
      known < 0
        ? // The newest last: those are forgotten last.
          sql
            .all<GroupRow>(
              'SELECT id, rev, sum, faces, is_ignored, part_of FROM unknown WHERE part_of IS NULL AND faces > 0 ORDER BY last DESC LIMIT ?',
              MOST_GROUPS,
            )
            .reverse()
        : sql.all<GroupRow>(
            'SELECT id, rev, sum, faces, is_ignored, part_of FROM unknown WHERE rev > ? ORDER BY rev',
            known,
          );
    for (const row of rows) take(row);
    known = revision();
  }

  const revision = () => sql.get<{ rev: number }>('SELECT rev FROM unknown_state')?.rev ?? 0;

  function take({ id, sum, faces, is_ignored, part_of }: GroupRow): void {
    if (part_of !== null) clusters.remove(id);
    else if (sum && faces > 0) clusters.put(id, toVector(sum), faces, is_ignored !== 0);
    else addUp(id, is_ignored !== 0);
  }

  /** Makes a group's sum of the sightings that it has. */
  function addUp(id: number, isIgnored: boolean): void {
    const rows = sql.all<{ vector: Uint8Array }>(
      `SELECT best.vector AS vector FROM sighting JOIN best ON best.sighting = sighting.id
         WHERE sighting.unknown = ? ORDER BY sighting.score DESC LIMIT ?`,
      toUnknownId(id),
      MOST_FACES,
    );
    if (rows.length === 0) {
      clusters.remove(id);
      sql.run('UPDATE unknown SET faces = 0 WHERE id = ?', id);
      return;
    }
    const sum = new Float32Array(length);
    for (const row of rows) {
      const vector = toVector(row.vector);
      for (let i = 0; i < length; i++) sum[i] += vector[i];
    }
    clusters.put(id, sum, rows.length, isIgnored);
    write(id);
  }

  /** Writes a group as it is in memory. */
  function write(id: number): void {
    const group = clusters.read(id);
    if (!group) return;
    sql.run('UPDATE unknown_state SET rev = rev + 1');
    sql.run(
      'UPDATE unknown SET sum = ?, faces = ?, rev = (SELECT rev FROM unknown_state) WHERE id = ?',
      toBlob(group.sum),
      group.count,
      id,
    );
  }

  function makeGroup(last: number): number {
    return sql.run('INSERT INTO unknown (rev, last) VALUES (0, ?)', last).id;
  }

  function place(sighting: number, row: SightingRow, again: number | undefined): void {
    const best = sql.get<{ vector: Uint8Array }>('SELECT vector FROM best WHERE sighting = ?', sighting);
    if (!best) return;
    // A visit that was alone in its group keeps it.
    const { id, joined } = clusters.place(toVector(best.vector), () => again ?? makeGroup(row.last));
    for (const gone of joined) join(gone, id);
    sql.run('UPDATE sighting SET unknown = ? WHERE id = ?', toUnknownId(id), sighting);
    sql.run(
      'INSERT INTO unknown_placed VALUES (?, ?) ON CONFLICT (sighting) DO UPDATE SET score = excluded.score',
      sighting,
      row.score,
    );
    sql.run('UPDATE unknown SET last = max(last, ?) WHERE id = ?', row.last, id);
    if (again !== undefined && again !== id) becomePart(sql, again, id);
    // The triggers have erased the sum.
    write(id);
    known = revision();
  }

  function join(gone: number, into: number): void {
    sql.run('UPDATE sighting SET unknown = ? WHERE unknown = ?', toUnknownId(into), toUnknownId(gone));
    sql.run(
      'UPDATE unknown SET last = max(last, (SELECT last FROM unknown WHERE id = ?)) WHERE id = ?',
      gone,
      into,
    );
    becomePart(sql, gone, into);
  }

  /** Takes a sighting out of its group. @returns the group, if nothing else is in it */
  function takeOut(sighting: number, unknown: string): number | undefined {
    sql.run('UPDATE sighting SET unknown = NULL WHERE id = ?', sighting);
    sql.run('DELETE FROM unknown_placed WHERE sighting = ?', sighting);
    learn();
    const id = Number(unknown.slice(2));
    return clusters.has(id) ? undefined : id;
  }

  /** Whether more of the visit's frames show nobody than anybody: of a tie it is not known who it is, but that it is one of two. */
  function isNobodys(sighting: number): boolean {
    let [nobody, somebody] = [0, 0];
    for (const part of sql.all<{ votes: string; nobody: number }>(
      'SELECT votes, nobody FROM part WHERE sighting = ?',
      sighting,
    )) {
      nobody += part.nobody;
      for (const { weight } of JSON.parse(part.votes) as Vote[]) somebody += weight;
    }
    return nobody >= somebody;
  }

  // By the key: strangers are thousands, and their rows hold sums.
  const isIgnored = (sighting: number): boolean =>
    sql.get<{ is_ignored: number }>(
      `SELECT is_ignored FROM unknown
       WHERE id = (SELECT CAST(substr(unknown, 3) AS INTEGER) FROM sighting WHERE id = ?)`,
      sighting,
    )?.is_ignored === 1;

  return {
    /**
     * Within a transaction, after a sighting has changed: puts it into a group if it shows a stranger, or takes it out of
     * one. It is placed when it is first good enough, and again when it is over, if a better face has come.
     * @returns whether nobody is to be told of it, because the stranger is ignored
     */
    settle(sighting: number): boolean {
      const row = sql.get<SightingRow>(
        `SELECT faceid, fits, first, last, s.score AS score, size, sharpness, yaw, pitch, roll, unknown, is_open,
           is_settled, p.score AS placed
         FROM sighting s LEFT JOIN unknown_placed p ON p.sighting = s.id WHERE s.id = ?`,
        sighting,
      );
      if (!row) return false;
      if (row.unknown === null) {
        const isNobody = row.is_settled === 1 || isNobodys(sighting);
        if (!isStranger(row, limits) || !isTwice(row) || !isNobody) return false;
        learn();
        place(sighting, row, undefined);
      } else if (!isStranger(row, limits)) {
        takeOut(sighting, row.unknown);
      } else if (row.is_open === 0 && row.placed !== row.score) {
        place(sighting, row, takeOut(sighting, row.unknown));
      } else {
        sql.run(
          'UPDATE unknown SET last = max(last, ?) WHERE id = ?',
          row.last,
          Number(row.unknown.slice(2)),
        );
      }
      return isIgnored(sighting);
    },

    /** Within a transaction: see {@link learn}. */
    learn,

    /** Another group that may be the same person; undefined: none, as far as is known by now. */
    like: (id: number): number | undefined => clusters.like(id),

    /** Within a transaction: a group has come back, and those that were made of the same person meanwhile are joined with it. */
    rejoin(group: number): void {
      learn();
      const { id, joined } = clusters.join(group);
      if (joined.length === 0) return;
      for (const gone of joined) join(gone, id);
      write(id);
      known = revision();
    },

    /** After a transaction that was undone: what is in memory is read anew. */
    forget(): void {
      clusters = open();
      known = -1;
    },
  };
}

/** Whether a sighting shows a stranger, and well enough to say which. */
function isStranger(row: SightingRow, limits: EnrolLimits): boolean {
  const { faceid, size, sharpness, yaw, pitch, roll } = row;
  if (faceid !== null || size === null || sharpness === null) return false;
  const turns = { yaw: yaw ?? 0, pitch: pitch ?? 0, roll: roll ?? 0 };
  return isFit({ quality: { size, sharpness, brightness: 0, ...turns } }, limits);
}

/** Whether two fit faces were so near in time: they were if all of them are on average. */
const isTwice = ({ fits, first, last }: SightingRow): boolean =>
  fits >= 2 && last - first <= TWICE_WITHIN * (fits - 1);
