import { createFileStore } from '../../src/gallery/store/file-store.js';
import { createGallery, type LiveGallery } from '../../src/gallery/gallery.js';
import { createExactIndex } from '../../src/gallery/index/exact-index.js';
import type { Gallery, Person } from '../../src/gallery/types.js';

/** Numbers in a vector of {@link openTiny}'s galleries. */
export const TINY = 8;

/** A gallery in a folder, of vectors of 8 numbers, searched by our own index. */
export async function openTiny(
  folder: string,
  options: { pack?: string; templates?: boolean; warn?: (message: string) => void } = {},
): Promise<LiveGallery> {
  const { pack = 'tiny', templates = true, warn = () => undefined } = options;
  const store = createFileStore({ folder, pack, length: TINY, warn });
  return createGallery({ pack, store, index: createExactIndex(TINY), templates });
}

/** A person in few words: the faceid, the name, and the ends of the faces' ids. */
export function summarise({ faceid, username, metadata, faces }: Person): unknown {
  return { faceid, username, metadata, faces: faces.map(({ id }) => id.split('_').at(-1)) };
}

/** Everybody of a gallery, by faceid. */
export async function everybody(gallery: Pick<Gallery, 'everyone'>): Promise<Person[]> {
  const people: Person[] = [];
  for await (const person of gallery.everyone()) people.push(person);
  return people;
}
