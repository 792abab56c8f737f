import type { BestFace, Cursor, Sighting, SightingFilter } from '../types.js';
import type { Kept } from '../types.js';
import { LONGEST_VISIT } from '../limits.js';
import type { Sql, Value } from './database.js';
import { COLUMNS, type SightingRow, toSighting, toVector } from './rows.js';

/** A sighting's face. */
export type StoredFace = Pick<BestFace, 'vector' | 'crop'>;

export function readOperations(sql: Sql) {
  function select(
    filter: SightingFilter,
    group: string | undefined,
    after: Cursor | undefined,
    limit: number,
  ) {
    const where: string[] = [];
    const values: Value[] = [];
    const must = (condition: string, ...bound: Value[]) => {
      where.push(condition);
      values.push(...bound);
    };
    const { from, to, faceid, deviceid, unknown } = filter;
    if (group !== undefined) must('s.groupid = ?', group);
    if (faceid !== undefined) must('s.faceid = ?', faceid);
    if (deviceid !== undefined) must('s.deviceid = ?', deviceid);
    if (typeof unknown === 'string') must('s.unknown = ?', unknown);
    else if (unknown !== undefined) must(unknown ? 's.faceid IS NULL' : 's.faceid IS NOT NULL');
    if (from !== undefined) must('s.last >= ?', from);
    // The second bound says the same, but the list is ordered by it: nothing newer is read. Twice: see `openAround`.
    if (to !== undefined) must('s.first < ? AND s.last < ?', to, to + 2 * LONGEST_VISIT);
    if (after) must('(s.last, s.id) < (?, ?)', after.last, after.id);
    const condition = where.length > 0 ? `WHERE ${where.join(' AND ')}` : '';
    return sql.all<SightingRow>(
      `SELECT ${COLUMNS} FROM sighting s ${condition} ORDER BY s.last DESC, s.id DESC LIMIT ?`,
      ...values,
      limit,
    );
  }

  return {
    /** Opens the file where it is not open yet. */
    ping: () => true,

    /** A page of sightings, newest first. @param after the last one of the page before */
    sightings(filter: SightingFilter, after: Cursor | undefined, limit: number): Sighting[] {
      const { groups, ...rest } = filter;
      // Group by group: each has its index, in the order of the list.
      const rows = groups
        ? groups.flatMap((group) => select(rest, group, after, limit))
        : select(rest, undefined, after, limit);
      if (groups && groups.length > 1) rows.sort((a, b) => b.last - a.last || b.id - a.id);
      return rows.slice(0, limit).map(toSighting);
    },

    sighting(id: number): Sighting | null {
      const row = sql.get<SightingRow>(`SELECT ${COLUMNS} FROM sighting s WHERE s.id = ?`, id);
      return row ? toSighting(row) : null;
    },

    /** The best face of a sighting. */
    face(id: number): StoredFace | null {
      const row = sql.get<{ vector: Uint8Array; crop: Uint8Array | null }>(
        'SELECT vector, crop FROM best WHERE sighting = ?',
        id,
      );
      return row ? { vector: toVector(row.vector), crop: row.crop } : null;
    },

    /** The cameras that have sightings, in order. @param groups of people of these groups; undefined: all */
    deviceids(groups: readonly string[] | undefined): string[] {
      const of = (text: string, ...values: Value[]) =>
        sql.all<{ deviceid: string }>(text, ...values).map(({ deviceid }) => deviceid);
      // From camera to camera in the index: reading every sighting of all takes a tenth of a second.
      if (!groups)
        return of(
          `WITH RECURSIVE camera (deviceid) AS (
             SELECT min(deviceid) FROM sighting UNION ALL
             SELECT (SELECT min(s.deviceid) FROM sighting s WHERE s.deviceid > camera.deviceid)
             FROM camera WHERE camera.deviceid IS NOT NULL
           ) SELECT deviceid FROM camera WHERE deviceid IS NOT NULL`,
        );
      const select = 'SELECT DISTINCT deviceid FROM sighting WHERE groupid = ?';
      return [...new Set(groups.flatMap((group) => of(select, group)))].sort();
    },

    /** How many there are, and how much room they take. Each number comes from an index: no sighting is read. */
    figures(): Kept {
      const one = (query: string) => sql.get<{ one: number | null }>(query)?.one ?? null;
      return {
        sightings: one('SELECT count(*) AS one FROM sighting') ?? 0,
        strangers: one('SELECT count(*) AS one FROM sighting WHERE faceid IS NULL') ?? 0,
        unknowns: one('SELECT count(DISTINCT unknown) AS one FROM sighting WHERE unknown IS NOT NULL') ?? 0,
        oldest: one('SELECT min(last) AS one FROM sighting'),
        bytes: one('SELECT page_count * page_size AS one FROM pragma_page_count(), pragma_page_size()') ?? 0,
      };
    },
  };
}
