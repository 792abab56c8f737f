import type { Happening, HappeningKind } from '../types.js';
import type { Sql } from './database.js';
import { COLUMNS, type SightingRow, toSighting } from './rows.js';
import { lastSeq } from './tell.js';

type HappeningRow = { seq: number; at: number; kind: HappeningKind } & (SightingRow | { id: null });

export function happeningOperations(sql: Sql) {
  return {
    /** What happened after a position, oldest first; see {@link Happening}. */
    happenings: (after: number, limit: number): Happening[] =>
      sql
        .all<HappeningRow>(
          `SELECT h.seq, h.at, h.kind, ${COLUMNS} FROM happening h LEFT JOIN sighting s ON s.id = h.sighting WHERE h.seq > ? ORDER BY h.seq LIMIT ?`,
          ...[after, limit],
        )
        .map((row) => {
          const { seq, at, kind } = row;
          return { seq, at, kind, sighting: row.id === null ? null : toSighting(row) };
        }),

    /** The position of the last happening; 0 before the first. */
    lastHappening: () => lastSeq(sql),

    /** The oldest position after which nothing has been trimmed. */
    firstHappening: () =>
      sql.get<{ seq: number | null }>('SELECT min(seq) - 1 AS seq FROM happening')?.seq ?? lastSeq(sql),

    /** How many people whose names are known are at a camera now. */
    present: (deviceid: string): number =>
      sql.get<{ count: number }>(
        'SELECT count(*) AS count FROM sighting WHERE deviceid = ? AND is_open = 1 AND faceid IS NOT NULL',
        deviceid,
      )?.count ?? 0,

    /** Removes happenings of before. @param before milliseconds since 1970 @returns how many */
    trimHappenings: (before: number, limit: number): number =>
      sql.write(
        () =>
          sql.run(
            'DELETE FROM happening WHERE seq IN (SELECT seq FROM happening ORDER BY seq LIMIT ?1) AND at < ?2',
            ...[limit, before],
          ).changes,
      ),
  };
}
