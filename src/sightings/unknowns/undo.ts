/** What was done to strangers, and taking it back: in the store's thread. */
import type { Sql } from '../store/database.js';
import { rootOf, setIgnored } from './group-rows.js';
import type { Grouping } from './grouping.js';
import { toUnknownId } from './ids.js';
import type { Named, Undone } from './types.js';

/** So long what was done can be undone, milliseconds. */
const UNDO_FOR = 7 * 86_400_000;

/** Notes what can be taken back by a token. */
export function noteUndo(
  sql: Pick<Sql, 'run'>,
  { token, now, kind, unknown }: { token: string; now: number; kind: string; unknown: number },
  { faceid = null, isNew = false, faces = [], sightings = [] }: Partial<Named> = {},
): void {
  sql.run('DELETE FROM unknown_undo WHERE at < ? OR at > ?', now - UNDO_FOR, now + UNDO_FOR);
  sql.run(
    'INSERT INTO unknown_undo VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    ...[token, now, kind, unknown, faceid, isNew ? 1 : 0],
    ...[JSON.stringify(faces), JSON.stringify(sightings)],
  );
}

export function undoOperations(sql: Sql, grouping: Pick<Grouping, 'learn' | 'rejoin'>) {
  return {
    /**
     * Takes back what was done to a group. What was enrolled is the caller's to delete; then `forgetUndo`. Twice does no harm.
     * @returns what it was; undefined: nothing can be undone by this token
     */
    undoUnknown(token: string): Undone | undefined {
      return sql.write(() => {
        const row = sql.get<{
          kind: string;
          unknown: number;
          faceid: string | null;
          is_new: number;
          faces: string;
          sightings: string;
        }>('SELECT * FROM unknown_undo WHERE token = ?', token);
        if (!row) return undefined;
        if (row.kind === 'joined') sql.run('UPDATE unknown SET part_of = NULL WHERE id = ?', row.unknown);
        const now = rootOf(sql, row.unknown)?.id ?? row.unknown;
        let count = 0;
        if (row.kind === 'named') {
          for (const id of JSON.parse(row.sightings) as number[])
            count += sql.run(
              `UPDATE sighting SET unknown = ?, faceid = NULL, groupid = NULL, distance = NULL, odds = NULL, is_settled = 0
               WHERE id = ? AND is_settled = 1 AND unknown IS NULL AND (faceid IS NULL OR faceid = ?)`,
              ...[toUnknownId(now), id, row.faceid],
            ).changes;
        } else if (row.kind === 'joined') {
          for (const id of JSON.parse(row.sightings) as number[])
            count += sql.run(
              'UPDATE sighting SET unknown = ? WHERE id = ? AND unknown IS NOT NULL',
              ...[toUnknownId(now), id],
            ).changes;
        } else {
          setIgnored(sql, now, row.kind === 'was_ignored');
        }
        if (row.kind === 'named') grouping.rejoin(now);
        else grouping.learn();
        return {
          id: toUnknownId(rootOf(sql, now)?.id ?? now),
          sightings: count,
          faceid: row.faceid,
          isNew: row.is_new !== 0,
          faces: JSON.parse(row.faces) as string[],
        };
      });
    },

    /**
     * How many sightings a naming of this token was about. It writes in any case: a change that Redis has been sent, but has
     * not answered, is refused after another one. So what this says was not done will not be done later, either.
     * @returns undefined: it was not done
     */
    settleNaming(token: string): number | undefined {
      return sql.write(() => {
        sql.run('UPDATE unknown_state SET rev = rev + 1');
        const query = 'SELECT sightings FROM unknown_undo WHERE token = ?';
        const row = sql.get<{ sightings: string }>(query, token);
        return row && (JSON.parse(row.sightings) as number[]).length;
      });
    },

    /** What was done has been taken back as a whole. */
    forgetUndo: (token: string): void =>
      sql.write(() => void sql.run('DELETE FROM unknown_undo WHERE token = ?', token)),
  };
}
