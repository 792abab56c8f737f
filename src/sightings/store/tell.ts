import type { HappeningKind } from '../types.js';
import type { Sql } from './database.js';

/** Bits of `sighting.told`: what has been told of it. */
export const TOLD = { arrived: 1, unknown: 2, left: 4 } as const satisfies Record<HappeningKind, number>;

/** Notes a happening, in the transaction of what happened. */
export function tell(sql: Sql, sighting: number, kind: HappeningKind, now: number): void {
  sql.run('INSERT INTO happening (at, kind, sighting) VALUES (?, ?, ?)', now, kind, sighting);
  sql.run('UPDATE sighting SET told = told | ? WHERE id = ?', TOLD[kind], sighting);
}

/** The position of the last happening, even if it has been trimmed; 0 before the first. */
export const lastSeq = (sql: Sql): number =>
  sql.get<{ seq: number }>("SELECT seq FROM sqlite_sequence WHERE name = 'happening'")?.seq ?? 0;
