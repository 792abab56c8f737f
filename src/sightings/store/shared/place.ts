import type { Sql } from '../database.js';

/** A place in the history of the changes: how many there were, and the mark of the last one. */
export interface Place {
  position: number;
  mark: string;
}

const BEGIN: Place = { position: 0, mark: '' };

/** How far a machine's copy is: schema.ts. */
export const placeOf = (sql: Sql): Place => sql.get<Place>('SELECT position, mark FROM replica') ?? BEGIN;

export const putPlace = (sql: Sql, { position, mark }: Place): unknown =>
  sql.run('UPDATE replica SET position = ?, mark = ?', position, mark);

export const generationOf = (sql: Sql): number =>
  sql.get<{ generation: number }>('SELECT generation FROM replica')?.generation ?? 0;

export const isSame = (a: Place, b: Place): boolean => a.position === b.position && a.mark === b.mark;

/** As Redis keeps it. */
export const toText = ({ position, mark }: Place): string => `${position} ${mark}`;

export function fromText(text: string | null): Place {
  const [position = '0', mark = ''] = (text ?? '').split(' ');
  return { position: Number(position), mark };
}
