import { splitFaceId } from '../../gallery/ids.js';
import type { Vote } from '../types.js';
import type { Sql } from './database.js';

/** What was erased. */
export interface Erased {
  sightings: number;
  /** How many of them had a picture. */
  pictures: number;
  /** Of each person, in order, where people were asked for. */
  each?: { sightings: number; pictures: number }[];
  /** What was erased has left the write-ahead log as well; else it does with the next erasure or clean-up. */
  isClean: boolean;
}

export function eraseOperations(sql: Sql) {
  /** Empties the write-ahead log, which holds what was before. Outside a transaction. */
  function checkpoint(): boolean {
    // Machines that share their sightings write several steps as one: what can be emptied then is emptied after it.
    if (sql.isWriting) return false;
    return sql.get<{ busy: number }>('PRAGMA wal_checkpoint(TRUNCATE)')?.busy === 0;
  }

  function remove(where: string, ...values: (string | number)[]): { sightings: number; pictures: number } {
    const doomed = `SELECT id FROM sighting WHERE ${where}`;
    sql.run(
      `INSERT OR IGNORE INTO gone_part SELECT uid, ? FROM part WHERE sighting IN (${doomed})`,
      ...[Date.now(), ...values],
    );
    sql.run(`DELETE FROM happening WHERE sighting IN (${doomed})`, ...values);
    const pictures = sql.get<{ count: number }>(
      `SELECT count(*) AS count FROM sighting WHERE has_picture = 1 AND id IN (${doomed})`,
      ...values,
    );
    const { changes } = sql.run(`DELETE FROM sighting WHERE id IN (${doomed})`, ...values);
    return { sightings: changes, pictures: pictures?.count ?? 0 };
  }

  /** A person's votes in visits that have another name, or none yet. @param before as in `erasePeople` */
  function revote(faceid: string, before: number, change: (votes: Vote[]) => Vote[]): void {
    const parts = sql.all<{ uid: string; votes: string }>(
      'SELECT uid, votes FROM part WHERE instr(votes, ?) > 0 AND sighting IN (SELECT id FROM sighting WHERE first <= ?)',
      ...[JSON.stringify(faceid), before],
    );
    for (const { uid, votes } of parts)
      sql.run(
        'UPDATE part SET votes = ? WHERE uid = ?',
        JSON.stringify(change(JSON.parse(votes) as Vote[])),
        uid,
      );
  }

  return {
    /**
     * Erases people's sightings with vectors and pictures. Twice does no harm.
     * @param people `before`: only of visits that began by then, milliseconds since 1970, where the ID may be somebody
     *   else's by now
     */
    erasePeople(people: readonly { faceid: string; before?: number }[]): Erased {
      const each = sql.write(() =>
        people.map(({ faceid, before = Number.MAX_SAFE_INTEGER }) => {
          revote(faceid, before, (votes) => votes.filter((vote) => vote.faceid !== faceid));
          return remove('faceid = ? AND first <= ?', faceid, before);
        }),
      );
      const sum = { sightings: 0, pictures: 0 };
      for (const { sightings, pictures } of each) {
        sum.sightings += sightings;
        sum.pictures += pictures;
      }
      return { ...sum, each, isClean: checkpoint() };
    },

    /** A person has another faceid from now on: moved, or merged into somebody. @param before as in `erasePeople` */
    renamePerson: (from: string, to: string, before = Number.MAX_SAFE_INTEGER): number =>
      sql.write(() => {
        revote(from, before, (votes) =>
          votes.map((vote) => (vote.faceid === from ? { ...vote, faceid: to } : vote)),
        );
        return sql.run(
          'UPDATE sighting SET faceid = ?, groupid = ? WHERE faceid = ? AND first <= ?',
          ...[to, splitFaceId(to)?.groupid ?? null, from, before],
        ).changes;
      }),

    /** Erases one sighting. @returns undefined where there is none */
    eraseSighting(id: number): Erased | null {
      const erased = sql.write(() => remove('id = ?', id));
      return erased.sightings === 0 ? null : { ...erased, isClean: checkpoint() };
    },

    /**
     * Erases what is older than was agreed, some at a time, so that nobody waits long.
     * @param before milliseconds since 1970, of people and of strangers
     * @returns how many were erased; fewer than `limit`: all of them were
     */
    prune: (before: { people: number; strangers: number }, limit: number): number =>
      sql.write(() => {
        // Named one by one: each machine that shares them erases the same ones.
        const old = sql.all<{ id: number }>(
          'SELECT id FROM sighting WHERE faceid IS NOT NULL AND last < ? UNION ALL SELECT id FROM sighting WHERE faceid IS NULL AND last < ? LIMIT ?',
          ...[before.people, before.strangers, limit],
        );
        if (old.length === 0) return 0;
        return remove('id IN (SELECT value FROM json_each(?))', JSON.stringify(old.map(({ id }) => id)))
          .sightings;
      }),

    /**
     * Erases the pictures of visits that were over before this, some at a time; the visits stay.
     * @returns how many; fewer than `limit`: all of them
     */
    prunePictures: (before: number, limit: number): number =>
      sql.write(() => {
        const old = sql.all<{ id: number }>(
          'SELECT id FROM sighting WHERE last < ? AND has_picture = 1 ORDER BY last LIMIT ?',
          ...[before, limit],
        );
        for (const { id } of old) {
          sql.run('UPDATE best SET crop = NULL WHERE sighting = ?', id);
          sql.run('UPDATE sighting SET has_picture = 0 WHERE id = ?', id);
        }
        return old.length;
      }),

    /** Empties the write-ahead log. @returns whether it could */
    clean: () => checkpoint(),

    /** The people who have sightings, by faceid. @param after the last one of the page before */
    faceids: (after: string, limit: number): string[] =>
      sql
        .all<{ faceid: string }>(
          'SELECT DISTINCT faceid FROM sighting WHERE faceid > ? ORDER BY faceid LIMIT ?',
          ...[after, limit],
        )
        .map(({ faceid }) => faceid),
  };
}
