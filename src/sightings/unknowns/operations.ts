/** What can be asked of strangers' groups, in the store's thread: see store/operations.ts. */
import { squaredDistance } from '../../gallery/distance.js';
import type { Sql } from '../store/database.js';
import { toVector } from '../store/rows.js';
import type { Cursor } from '../types.js';
import { chooseViews } from './best-views.js';
import { becomePart, rootOf, setIgnored, type UnknownRow } from './group-rows.js';
import type { Grouping, GroupingSettings } from './grouping.js';
import { fromUnknownId, toUnknownId } from './ids.js';
import { joinLimits } from './limits.js';
import type { FaceOfUnknown, Unknown } from './types.js';
import { noteUndo } from './undo.js';

/** The most faces of a group that are looked at when it is named: the best ones. */
const MOST_CANDIDATES = 100;
/** The most cameras and pictures that are told of a group. */
const MOST_DEVICES = 20;
const MOST_PICTURES = 3;
/** Faces that are nearer than this part of the limit for one person are one picture twice. */
const SAME_PICTURE = 0.02;

/** @param grouping of the same file and thread */
export function unknownOperations(sql: Sql, grouping: Grouping, { pack }: GroupingSettings) {
  /** Faces of one person are nearer. */
  const limit = joinLimits(pack, 1).single;

  /** A group that is there, or the one that it is part of by now. */
  function find(text: string): UnknownRow | undefined {
    const id = fromUnknownId(text);
    const row = id === undefined ? undefined : rootOf(sql, id);
    return row && hasSightings(row.id) ? row : undefined;
  }

  const hasSightings = (id: number) =>
    sql.get('SELECT 1 AS one FROM sighting WHERE unknown = ? LIMIT 1', toUnknownId(id)) !== undefined;

  function describe({ id, is_ignored }: Pick<UnknownRow, 'id' | 'is_ignored'>): Unknown {
    const unknown = toUnknownId(id);
    const times = sql.get<{ visits: number; first: number; last: number }>(
      'SELECT count(*) AS visits, min(first) AS first, max(last) AS last FROM sighting WHERE unknown = ?',
      unknown,
    );
    const devices = sql.all<{ deviceid: string }>(
      'SELECT DISTINCT deviceid FROM sighting WHERE unknown = ? ORDER BY deviceid LIMIT ?',
      unknown,
      MOST_DEVICES,
    );
    const pictures = sql.all<{ id: number }>(
      'SELECT id FROM sighting WHERE unknown = ? AND has_picture = 1 ORDER BY score DESC, id LIMIT ?',
      unknown,
      MOST_PICTURES,
    );
    const like = grouping.like(id);
    return {
      id: unknown,
      visits: times?.visits ?? 0,
      first: times?.first ?? 0,
      last: times?.last ?? 0,
      deviceids: devices.map(({ deviceid }) => deviceid),
      pictures: pictures.map((row) => row.id),
      isIgnored: is_ignored !== 0,
      like: like === undefined ? null : toUnknownId(like),
    };
  }

  return {
    /** Those who were seen last come first. @param after the last one of the page before */
    listUnknowns({
      ignored,
      limit,
      after,
    }: {
      ignored: boolean | undefined;
      limit: number;
      after?: Cursor;
    }): { unknowns: Unknown[]; next: Cursor | undefined } {
      sql.write(grouping.learn);
      // Each by its index, in the order of the list.
      const kinds = ignored === undefined ? [false, true] : [ignored];
      const rows = kinds
        .flatMap((isIgnored) =>
          sql.all<UnknownRow>(
            `SELECT id, last, is_ignored, part_of FROM unknown
             WHERE is_ignored = ? AND (last, id) < (?, ?) AND part_of IS NULL
               AND EXISTS (SELECT 1 FROM sighting WHERE sighting.unknown = 'u-' || unknown.id)
             ORDER BY last DESC, id DESC LIMIT ?`,
            ...[Number(isIgnored), after?.last ?? Number.MAX_SAFE_INTEGER],
            ...[after?.id ?? Number.MAX_SAFE_INTEGER, limit],
          ),
        )
        .sort((a, b) => b.last - a.last || b.id - a.id)
        .slice(0, limit);
      const last = rows.length < limit ? undefined : rows.at(-1);
      return { unknowns: rows.map(describe), next: last && { last: last.last, id: last.id } };
    },

    /** @returns undefined: it is not there any more */
    readUnknown(text: string): Unknown | undefined {
      const row = find(text);
      return row && describe(row);
    },

    /** The best and most different faces of a group, to be enrolled. @returns undefined: it is not there any more */
    facesOfUnknown(text: string): { id: string; faces: FaceOfUnknown[] } | undefined {
      const row = find(text);
      if (!row) return undefined;
      const id = toUnknownId(row.id);
      const candidates = sql
        .all<{ sighting: number; score: number; vector: Uint8Array }>(
          `SELECT sighting.id AS sighting, score, vector FROM sighting JOIN best ON best.sighting = sighting.id
           WHERE unknown = ? ORDER BY score DESC LIMIT ?`,
          ...[id, MOST_CANDIDATES],
        )
        .map(({ vector, ...one }) => ({ ...one, vector: toVector(vector) }));
      const chosen = chooseViews(candidates, { limit, different: SAME_PICTURE * limit });
      return { id, faces: chosen.map((at) => faceOf(candidates[at].sighting, candidates[at].vector)) };
    },

    /**
     * Gives a group's sightings to a person, whose faces have been enrolled.
     * @returns how many; 0: the group is not there any more
     */
    nameUnknown(asked: {
      unknown: string;
      token: string;
      now: number;
      faceid: string;
      groupid: string;
      /** The person was made for it. */
      isNew: boolean;
      /** IDs of the faces that were enrolled, and their vectors. */
      faces: readonly string[];
      vectors: readonly Float32Array[];
    }): number {
      return sql.write(() => {
        const row = find(asked.unknown);
        if (!row) return 0;
        const unknown = toUnknownId(row.id);
        const rows = sql.all<{ id: number; vector: Uint8Array | null }>(
          'SELECT id, vector FROM sighting LEFT JOIN best ON best.sighting = sighting.id WHERE unknown = ?',
          unknown,
        );
        const { faceid, groupid, isNew, faces, vectors } = asked;
        for (const { id, vector } of rows)
          sql.run(
            `UPDATE sighting SET unknown = NULL, faceid = ?, groupid = ?, distance = ?, odds = NULL, is_settled = 1
             WHERE id = ?`,
            ...[faceid, groupid, vector && leastDistance(toVector(vector), vectors), id],
          );
        const sightings = rows.map(({ id }) => id);
        noteUndo(sql, { ...asked, kind: 'named', unknown: row.id }, { faceid, isNew, faces, sightings });
        grouping.learn();
        return rows.length;
      });
    },

    /** Keeps a group quiet, or no longer. @returns as it is then; undefined: it is not there any more */
    ignoreUnknown(asked: {
      unknown: string;
      token: string;
      now: number;
      isIgnored: boolean;
    }): Unknown | undefined {
      return sql.write(() => {
        const row = find(asked.unknown);
        if (!row) return undefined;
        const is_ignored = Number(asked.isIgnored);
        setIgnored(sql, row.id, asked.isIgnored);
        const kind = row.is_ignored ? 'was_ignored' : 'was_not_ignored';
        noteUndo(sql, { ...asked, kind, unknown: row.id });
        grouping.learn();
        return describe({ id: row.id, is_ignored });
      });
    },

    /** Forgets groups that nothing is left of, and what cannot be undone any more. @param before milliseconds since 1970 */
    pruneUnknowns: (before: number): void =>
      sql.write(() => {
        grouping.learn();
        sql.run(
          `DELETE FROM unknown WHERE faces = 0 AND last < ?
             AND NOT EXISTS (SELECT 1 FROM sighting WHERE sighting.unknown = 'u-' || unknown.id)`,
          before,
        );
        sql.run('DELETE FROM unknown_undo WHERE at < ?', before);
      }),

    /** Makes two groups one. @returns it; undefined: one of them is not there any more, or they are one already */
    joinUnknowns(asked: { unknown: string; into: string; token: string; now: number }): Unknown | undefined {
      return sql.write(() => {
        const [from, into] = [find(asked.unknown), find(asked.into)];
        if (!from || !into || from.id === into.id) return undefined;
        const [unknown, other] = [toUnknownId(from.id), toUnknownId(into.id)];
        const rows = sql.all<{ id: number }>('SELECT id FROM sighting WHERE unknown = ?', unknown);
        noteUndo(
          sql,
          { ...asked, kind: 'joined', unknown: from.id },
          { sightings: rows.map(({ id }) => id) },
        );
        sql.run('UPDATE sighting SET unknown = ? WHERE unknown = ?', other, unknown);
        sql.run('UPDATE unknown SET last = max(last, ?) WHERE id = ?', from.last, into.id);
        becomePart(sql, from.id, into.id);
        grouping.learn();
        return describe(into);
      });
    },
  };

  function faceOf(sighting: number, vector: Float32Array): FaceOfUnknown {
    const row = sql.get<{
      crop: Uint8Array | null;
      size: number | null;
      sharpness: number | null;
      yaw: number | null;
      pitch: number | null;
      roll: number | null;
    }>(
      `SELECT crop, size, sharpness, yaw, pitch, roll FROM sighting JOIN best ON best.sighting = sighting.id
       WHERE sighting.id = ?`,
      sighting,
    );
    const { crop = null, size = null, sharpness = null, yaw = null, pitch = null, roll = null } = row ?? {};
    return { sighting, vector, crop, quality: { size, sharpness, yaw, pitch, roll } };
  }
}

const leastDistance = (vector: Float32Array, others: readonly Float32Array[]): number | null =>
  others.length === 0 ? null : Math.min(...others.map((other) => squaredDistance(vector, other)));
