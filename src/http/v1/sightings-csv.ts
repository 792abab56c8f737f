import { stringify } from 'csv-stringify/sync';
import type { Gallery, Person } from '../../gallery/types.js';
import type { Cursor, Sighting } from '../../sightings/types.js';
import { sightingPages } from './sighting-pages.js';
import { withPeople } from './sighting-schemas.js';

/** Rows that are read at a time. */
const AT_ONCE = 500;

const COLUMNS = [
  'id',
  'first',
  'last',
  'seconds',
  'deviceid',
  'faceid',
  'groupid',
  'userid',
  'username',
  'unknown',
  'frames',
  'distance',
];

/**
 * Sightings for a spreadsheet, a page at a time: with a byte order mark, and no cell that could be taken for a formula.
 * @param page reads the sightings that come after one, at most so many @throws KaomonError CLIENT_GONE, and what `page` throws
 */
export async function* csvOf(
  page: (after: Cursor | undefined, limit: number) => Promise<Sighting[]>,
  gallery: Pick<Gallery, 'person'>,
  gone: AbortSignal,
): AsyncGenerator<string> {
  yield `\uFEFF${COLUMNS.join(',')}\r\n`;
  for await (const found of sightingPages(page, AT_ONCE, gone)) {
    const rows = (await withPeople(found, gallery)).map(({ sighting, person }) => rowOf(sighting, person));
    if (rows.length > 0) yield stringify(rows, { record_delimiter: '\r\n', escape_formulas: true });
  }
}

function rowOf(sighting: Sighting, person: Person | undefined): (string | number | null)[] {
  const { id, first, last, deviceid, unknown, frames, distance } = sighting;
  return [
    id,
    new Date(first).toISOString(),
    new Date(last).toISOString(),
    Math.round((last - first) / 1000),
    deviceid,
    person?.faceid ?? null,
    person?.groupid ?? null,
    person?.userid ?? null,
    person?.username ?? null,
    unknown,
    frames,
    distance,
  ];
}
