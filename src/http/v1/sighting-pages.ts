import { throwIfGone } from '../../platform/errors.js';
import type { Cursor, Sighting } from '../../sightings/types.js';

/**
 * All sightings, a page at a time.
 * @param page reads the sightings that come after one, at most so many
 * @throws KaomonError CLIENT_GONE, and what `page` throws
 */
export async function* sightingPages(
  page: (after: Cursor | undefined, limit: number) => Promise<Sighting[]>,
  limit: number,
  gone: AbortSignal,
): AsyncGenerator<Sighting[]> {
  for (let after: Cursor | undefined; ;) {
    throwIfGone(gone);
    const found = await page(after, limit);
    yield found;
    if (found.length < limit) return;
    after = found.at(-1);
  }
}
