/** How an export reads the gallery: everybody page by page, and vectors from where they are nearest. */
import type { Gallery, Person } from '../types.js';

/** What an export needs of a gallery. */
export type ReadGallery = Pick<Gallery, 'groups' | 'people' | 'vectors' | 'vectorsAtHand' | 'picture'>;

/** People of a page. */
const PAGE = 512;

/** Everybody of some groups, or of all, by faceid, in pages. */
// eslint-disable-next-line @typescript-eslint/require-await -- the gallery's own reading becomes asynchronous
export async function* pagesOf(
  gallery: Pick<ReadGallery, 'people'>,
  groups: ReadonlySet<string> | undefined,
): AsyncGenerator<Person[]> {
  const people = gallery.people();
  for (let at = 0; at < people.length; at += PAGE) {
    const page = people.slice(at, at + PAGE);
    yield groups ? page.filter(({ groupid }) => groups.has(groupid)) : page;
  }
}

/**
 * The vectors of a person's faces, by the faces' IDs; those of deleted faces are missing.
 * @throws KaomonError PERSON_UNKNOWN
 */
export async function vectorsOf(
  gallery: Pick<ReadGallery, 'vectors' | 'vectorsAtHand'>,
  faceid: string,
): Promise<Map<string, Float32Array>> {
  const faces = gallery.vectorsAtHand(faceid) ?? (await gallery.vectors(faceid));
  return new Map(faces.map(({ face, vector }) => [face.id, vector]));
}
