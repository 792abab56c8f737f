import type { Gallery, PeoplePage } from '../gallery/types.js';

/** Pages that are remembered. */
const MOST = 100;

interface Asked {
  groups?: ReadonlySet<string> | undefined;
  limit: number;
  offset: number;
  signal: AbortSignal;
}

/**
 * The people without a picture, counted, a page at a time. To find them is to look at everybody, which takes seconds in a
 * large gallery, and a page that watches a check-up asks again and again: an answer is remembered until anybody changes.
 * @returns asks @throws as `Gallery.people`
 */
export function createBare(
  gallery: Pick<Gallery, 'people' | 'follow'>,
): (asked: Asked) => Promise<PeoplePage> {
  const known = new Map<string, PeoplePage>();
  let changes = 0;
  const forget = () => {
    changes += 1;
    known.clear();
  };
  gallery.follow({ one: forget, all: forget });

  return async ({ groups, limit, offset, signal }) => {
    const key = JSON.stringify([limit, offset, groups && [...groups].sort()]);
    const there = known.get(key);
    if (there) return there;
    const before = changes;
    const page = await gallery.people({ pictures: 'none', limit, offset, count: true, signal, groups });
    if (known.size >= MOST) known.clear();
    if (changes === before) known.set(key, page);
    return page;
  };
}
