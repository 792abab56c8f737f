import type { Sql } from '../database.js';

/** A place in the history of the changes: how many there were, and the mark of the last one. */
export interface Place {
  position: number;
  mark: string;
}

export const BEGIN: Place = { position: 0, mark: '' };

/** How far a machine's copy is: schema.ts. */
export const placeOf = (sql: Sql): Place => sql.get<Place>('SELECT position, mark FROM replica') ?? BEGIN;

/** So many places that a file has passed are remembered: for a Redis that has lost more, what it has counts. */
const REMEMBERED = 10_000;

export function putPlace(sql: Sql, { position, mark }: Place): void {
  sql.run('UPDATE replica SET position = ?, mark = ?', position, mark);
  sql.run('INSERT OR REPLACE INTO passed VALUES (?, ?)', position, mark);
  sql.run('DELETE FROM passed WHERE position <= ?', position - REMEMBERED);
}

/** Whether a file has everything that led to a place. */
export const hasPassed = (sql: Sql, { position, mark }: Place): boolean =>
  sql.get('SELECT 1 AS passed FROM passed WHERE position = ? AND mark = ?', position, mark) !== undefined;

export const generationOf = (sql: Sql): number =>
  sql.get<{ generation: number }>('SELECT generation FROM replica')?.generation ?? 0;

export const isSame = (a: Place, b: Place): boolean => a.position === b.position && a.mark === b.mark;

/** As Redis keeps it. */
export const toText = ({ position, mark }: Place): string => `${position} ${mark}`;

export function fromText(text: string | null): Place {
  const [position = '0', mark = ''] = (text ?? '').split(' ');
  return { position: Number(position), mark };
}
