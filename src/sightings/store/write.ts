import { squaredDistance } from '../../gallery/distance.js';
import { splitFaceId } from '../../gallery/ids.js';
import { LONGEST_VISIT, STRANGER } from '../limits.js';
import type { BestFace, VisitPart, Vote } from '../types.js';
import { addVote, winnerOf } from '../vote.js';
import type { Grouping } from '../unknowns/grouping.js';
import type { Sql } from './database.js';
import type { StoreSettings } from './settings.js';
import { toBlob, toVector } from './rows.js';
import { lastSeq, tell, TOLD } from './tell.js';

/** Open visits are written anew every 30 s: a worker that has not done so for this long has died, milliseconds. */
export const ABANDONED = 90_000;
/** The parts of a visit that is over are kept so long, milliseconds: a late one then changes the sighting it is of. */
const LATE = 3_600_000;

interface Open {
  id: number;
  faceid: string | null;
}
interface PartRow {
  first: number;
  last: number;
  frames: number;
  fits: number;
  votes: string;
  nobody: number;
}
interface State {
  faceid: string | null;
  is_settled: number;
  told: number;
  deviceid: string;
}

/** Which worker wrote a part: parts of one worker are of different people where the worker says so. */
const workerOf = (uid: string) => uid.slice(0, uid.indexOf('.') + 1);

export function writeOperations(
  sql: Sql,
  { gap, pair }: Pick<StoreSettings, 'gap' | 'pair'>,
  grouping: Pick<Grouping, 'settle'>,
) {
  /**
   * Open sightings at this camera that a visit of these times may be a part of; none that would be longer than a visit may
   * be: a worker cuts such a one, and what comes next is another.
   */
  const openAround = ({ deviceid, first, last }: Pick<VisitPart, 'deviceid' | 'first' | 'last'>) =>
    sql.all<Open>(
      'SELECT id, faceid FROM sighting WHERE is_open = 1 AND deviceid = ? AND last >= ? AND first <= ? AND first > ? AND last < ? ORDER BY id',
      ...[deviceid, first - gap, last + gap, last - LONGEST_VISIT, first + LONGEST_VISIT],
    );

  /** The sighting that another worker, or this one before it died, began of the same person. */
  function joined(part: VisitPart): number | undefined {
    const around = openAround(part);
    if (around.length === 0) return undefined;
    const winner = winnerOf(part.votes, part.nobody);
    // Only strangers are told by their faces: who is like a person may be a stranger. If the name came late, see `merge`.
    if (winner) return around.find(({ faceid }) => faceid === winner.faceid)?.id;
    const { best } = part;
    if (!best) return undefined;
    const worker = workerOf(part.uid);
    let nearest: { id: number; distance: number } | undefined;
    for (const { id, faceid } of around) {
      if (faceid !== null) continue;
      const parts = sql.all<{ uid: string }>('SELECT uid FROM part WHERE sighting = ?', id);
      if (parts.some(({ uid }) => workerOf(uid) === worker)) continue;
      const other = sql.get<{ vector: Uint8Array }>('SELECT vector FROM best WHERE sighting = ?', id);
      if (other?.vector.byteLength !== best.vector.byteLength) continue;
      const distance = squaredDistance(toVector(other.vector), best.vector);
      if (distance < pair && distance < (nearest?.distance ?? Infinity)) nearest = { id, distance };
    }
    return nearest?.id;
  }

  const begin = ({ deviceid, first, last }: VisitPart): number =>
    sql.run(
      'INSERT INTO sighting (deviceid, first, last, frames, fits) VALUES (?, ?, ?, 0, 0)',
      deviceid,
      first,
      last,
    ).id;

  function putBest(id: number, best: BestFace): void {
    const { score, size, sharpness, yaw, pitch, roll, vector, crop } = best;
    const changed = sql.run(
      'UPDATE sighting SET score = ?, size = ?, sharpness = ?, yaw = ?, pitch = ?, roll = ?, has_picture = ? WHERE id = ? AND score < ?',
      ...[score, size, sharpness, yaw, pitch, roll],
      ...[crop ? 1 : 0, id, score],
    );
    if (changed.changes === 0) return;
    sql.run(
      'INSERT INTO best VALUES (?, ?, ?) ON CONFLICT (sighting) DO UPDATE SET vector = excluded.vector, crop = excluded.crop',
      ...[id, toBlob(vector), crop],
    );
  }

  /** Makes the sighting what its parts say. */
  function sum(id: number, now: number): void {
    const state = sql.get<State>('SELECT faceid, is_settled, told, deviceid FROM sighting WHERE id = ?', id);
    const parts = sql.all<PartRow>(
      'SELECT first, last, frames, fits, votes, nobody FROM part WHERE sighting = ?',
      id,
    );
    if (!state || parts.length === 0) return;
    const votes: Vote[] = [];
    let [first, last, frames, fits, nobody] = [Infinity, -Infinity, 0, 0, 0];
    for (const part of parts) {
      first = Math.min(first, part.first);
      last = Math.max(last, part.last);
      frames += part.frames;
      fits += part.fits;
      nobody += part.nobody;
      for (const vote of JSON.parse(part.votes) as Vote[]) addVote(votes, vote);
    }
    sql.run(
      'UPDATE sighting SET first = min(first, ?), last = max(last, ?), frames = ?, fits = ?, is_open = 1 WHERE id = ?',
      ...[first, last, frames, fits, id],
    );
    let { faceid } = state;
    if (state.is_settled === 0) {
      const winner = winnerOf(votes, nobody);
      faceid = winner?.faceid ?? null;
      sql.run(
        'UPDATE sighting SET faceid = ?, groupid = ?, distance = ?, odds = ?, odds_at_most = ? WHERE id = ?',
        ...[faceid, (faceid && splitFaceId(faceid)?.groupid) ?? null],
        ...[winner?.distance ?? null, winner?.odds ?? null, winner?.oddsAtMost ? 1 : 0, id],
      );
      // A stranger's group of sightings is not a person's.
      if (faceid !== null) sql.run('UPDATE sighting SET unknown = NULL WHERE id = ?', id);
    }
    if (faceid !== null) {
      const twin = openAround({ deviceid: state.deviceid, first, last }).find(
        (other) => other.id !== id && other.faceid === faceid,
      );
      if (twin) {
        const [kept, given] = twin.id < id ? [twin.id, id] : [id, twin.id];
        merge(given, kept);
        sum(kept, now);
        return;
      }
      if (faceid !== state.faceid || !(state.told & TOLD.arrived)) tell(sql, id, 'arrived', now);
    } else {
      const isQuiet = grouping.settle(id);
      const isNews = !(state.told & TOLD.unknown) && fits >= STRANGER.fits && last - first >= STRANGER.stays;
      if (isNews && !isQuiet) tell(sql, id, 'unknown', now);
    }
  }

  /** One visit that was taken for two, of somebody whose name came late. */
  function merge(from: number, into: number): void {
    sql.run('UPDATE part SET sighting = ? WHERE sighting = ?', into, from);
    sql.run('UPDATE happening SET sighting = ? WHERE sighting = ?', into, from);
    sql.run(
      'UPDATE sighting SET told = sighting.told | f.told, is_settled = max(sighting.is_settled, f.is_settled) FROM (SELECT told, is_settled FROM sighting WHERE id = ?1) f WHERE id = ?2',
      ...[from, into],
    );
    const better = sql.get<BestFace & { vector: Uint8Array }>(
      'SELECT f.score, f.size, f.sharpness, f.yaw, f.pitch, f.roll, b.vector, b.crop FROM sighting f JOIN best b ON b.sighting = f.id WHERE f.id = ?',
      from,
    );
    if (better) putBest(into, { ...better, vector: toVector(better.vector) });
    sql.run('DELETE FROM sighting WHERE id = ?', from);
  }

  function put(part: VisitPart, now: number): void {
    if (sql.get('SELECT 1 AS gone FROM gone_part WHERE uid = ?', part.uid)) return;
    const known = sql.get<{ sighting: number }>('SELECT sighting FROM part WHERE uid = ?', part.uid);
    const id = known?.sighting ?? joined(part) ?? begin(part);
    const { uid, first, last, frames, fits, votes, nobody, best, isEnded } = part;
    sql.run(
      'INSERT INTO part VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (uid) DO UPDATE SET first = ?3, last = ?4, frames = ?5, fits = ?6, votes = ?7, nobody = ?8, is_ended = ?9, written = ?10',
      ...[uid, id, first, last, frames, fits, JSON.stringify(votes), nobody, isEnded ? 1 : 0, now],
    );
    if (best) putBest(id, best);
    sum(id, now);
  }

  function close(id: number, now: number): void {
    const row = sql.get<State & { fits: number }>(
      'SELECT faceid, is_settled, told, deviceid, fits FROM sighting WHERE id = ?',
      id,
    );
    if (!row) return;
    sql.run('UPDATE sighting SET is_open = 0 WHERE id = ?', id);
    if (row.faceid === null) {
      const isQuiet = grouping.settle(id);
      if (!isQuiet && !(row.told & TOLD.unknown)) tell(sql, id, 'unknown', now);
    } else if (!(row.told & TOLD.left)) tell(sql, id, 'left', now);
  }

  return {
    /**
     * Writes what a worker saw, in one transaction: once it resolves, no crash loses it, and the same again changes nothing.
     * @param now milliseconds since 1970
     * @returns the position of the last happening
     */
    writeParts: (parts: readonly VisitPart[], now: number): number =>
      sql.write(() => {
        for (const part of parts) put(part, now);
        return lastSeq(sql);
      }),

    /**
     * Ends visits whose workers all say so, and those whose worker has died.
     * @returns the position of the last happening
     */
    closeVisits: (now: number): number =>
      sql.write(() => {
        // The clock was set back. A worker that lives writes its visits again before the time is up.
        sql.run('UPDATE part SET written = ?1 WHERE written > ?1 + ?2', now, ABANDONED);
        const over = sql.all<{ id: number }>(
          `SELECT s.id FROM sighting s LEFT JOIN part p ON p.sighting = s.id WHERE s.is_open = 1 GROUP BY s.id
           HAVING (min(coalesce(p.is_ended, 1)) = 1 AND (s.last <= ?1 OR s.last > ?3))
             OR max(coalesce(p.written, 0)) < ?2`,
          ...[now - gap, now - ABANDONED, now + ABANDONED],
        );
        for (const { id } of over) close(id, now);
        sql.run(
          'DELETE FROM part WHERE written < ? AND sighting IN (SELECT p.sighting FROM part p JOIN sighting s ON s.id = p.sighting WHERE s.is_open = 0)',
          now - LATE,
        );
        sql.run('DELETE FROM gone_part WHERE at < ?', now - 24 * LATE);
        return lastSeq(sql);
      }),
  };
}
