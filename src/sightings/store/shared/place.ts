import type { Sql } from '../database.js';

/** How far a machine's copy is: schema.ts. */
export interface Place {
  position: number;
  generation: number;
}

export const placeOf = (sql: Sql): Place =>
  sql.get<Place>('SELECT position, generation FROM replica') ?? { position: 0, generation: 0 };
