import type { Grouping } from '../unknowns/grouping.js';
import type { Sql } from './database.js';

interface Said {
  sighting: number;
  distance: number | null;
  odds: number | null;
  odds_at_most: number;
}

/** "Not this person", said of a sighting (docs/corrections.md). */
export const correctionOperations = (sql: Sql, grouping: Pick<Grouping, 'settle'>) => ({
  /**
   * Takes the name from a sighting, for good: what is still seen of the visit does not bring it back.
   * @param correction what says so, by the part of its ID that stays when the person moves
   * @returns false when it has another name by now
   */
  correctSighting: (id: number, faceid: string, correction: string): boolean =>
    sql.write(() => {
      const saved = sql.run(
        'INSERT OR REPLACE INTO corrected SELECT id, ?, distance, odds, odds_at_most FROM sighting WHERE id = ? AND faceid = ?',
        ...[correction, id, faceid],
      );
      if (saved.changes === 0) return false;
      sql.run(
        'UPDATE sighting SET faceid = NULL, groupid = NULL, distance = NULL, odds = NULL, odds_at_most = 0, is_settled = 1 WHERE id = ?',
        id,
      );
      // A stranger who was taken for the person stands with the other strangers from now on, and can be named.
      grouping.settle(id);
      return true;
    }),

  /**
   * Gives the name back to the sightings that a correction took it from, where nobody has said otherwise since.
   * @param faceid the person as they are called now
   */
  uncorrectSightings: (correction: string, faceid: string, groupid: string): number =>
    sql.write(() => {
      const all = sql.all<Said>(
        'SELECT sighting, distance, odds, odds_at_most FROM corrected WHERE correction = ?',
        correction,
      );
      for (const { sighting, distance, odds, odds_at_most: atMost } of all)
        sql.run(
          'UPDATE sighting SET faceid = ?, groupid = ?, distance = ?, odds = ?, odds_at_most = ?, unknown = NULL WHERE id = ? AND faceid IS NULL',
          ...[faceid, groupid, distance, odds, atMost, sighting],
        );
      sql.run('DELETE FROM corrected WHERE correction = ?', correction);
      return all.length;
    }),
});
