/** Where a page of what is listed by the time of the last sighting goes on. */
import { Type } from 'typebox';
import type { Cursor } from '../../sightings/types.js';
import { Nullable } from '../schemas.js';

const CURSOR = /^(\d{1,16})-(\d{1,15})$/;

/** `after` in the query. */
export const AfterSchema = Type.Optional(
  Type.String({ pattern: CURSOR.source, description: '`next` of the page before.' }),
);

/** `next` in the answer. */
export const NextSchema = Nullable(
  Type.String({ description: 'What to give as `after` for the next page; null on the last one.' }),
);

/** @returns undefined: from the beginning */
export function cursorOf(text: string | undefined): Cursor | undefined {
  const [, last, id] = CURSOR.exec(text ?? '') ?? [];
  return last ? { last: Number(last), id: Number(id) } : undefined;
}

export const positionOf = ({ last, id }: Cursor): string => `${last}-${id}`;
