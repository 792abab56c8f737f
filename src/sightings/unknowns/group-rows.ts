/** What becomes of a group's row in the file; each within a transaction. */
import type { Sql } from '../store/database.js';

export interface UnknownRow {
  id: number;
  last: number;
  is_ignored: number;
  part_of: number | null;
}

/**
 * The group that a group is part of by now, over all that were joined since; itself where it is part of none. Who was
 * joined with whom stays as it was said, so that it can be taken back.
 */
export function rootOf(sql: Pick<Sql, 'get'>, id: number): UnknownRow | undefined {
  const read = (one: number) =>
    sql.get<UnknownRow>('SELECT id, last, is_ignored, part_of FROM unknown WHERE id = ?', one);
  let row = read(id);
  while (row && row.part_of !== null) row = read(row.part_of);
  return row;
}

/** Notes that a group is part of another from now on. */
export function becomePart(sql: Pick<Sql, 'run'>, gone: number, into: number): void {
  sql.run('UPDATE unknown_state SET rev = rev + 1');
  sql.run(
    'UPDATE unknown SET part_of = ?, sum = NULL, faces = 0, rev = (SELECT rev FROM unknown_state) WHERE id = ?',
    into,
    gone,
  );
}

/** Keeps a group quiet, or no longer. */
export function setIgnored(sql: Pick<Sql, 'run'>, id: number, isIgnored: boolean): void {
  sql.run('UPDATE unknown_state SET rev = rev + 1');
  sql.run(
    'UPDATE unknown SET is_ignored = ?, rev = (SELECT rev FROM unknown_state) WHERE id = ?',
    isIgnored ? 1 : 0,
    id,
  );
}
