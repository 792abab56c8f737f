/** How an export reads the gallery: everybody page by page, and vectors from where they are nearest. */
import type { Gallery, PeoplePage, Person } from '../types.js';

/** What an export needs of a gallery. */
export type ReadGallery = Pick<Gallery, 'groups' | 'people' | 'vectors' | 'picture'>;

/** People of a page. */
const PAGE = 512;

/** Everybody of some groups, or of all, by faceid, in pages. */
export async function* pagesOf(
  gallery: Pick<ReadGallery, 'people'>,
  groups: ReadonlySet<string> | undefined,
): AsyncGenerator<Person[]> {
  for (let after: string | undefined = ''; after !== undefined;) {
    const { people, next }: PeoplePage = await gallery.people({ groups, after, limit: PAGE });
    yield people;
    after = next;
  }
}

/**
 * The vectors of a person's faces, by the faces' IDs; those of deleted faces are missing.
 * @throws KaomonError PERSON_UNKNOWN
 */
export async function vectorsOf(
  gallery: Pick<ReadGallery, 'vectors'>,
  faceid: string,
): Promise<Map<string, Float32Array>> {
  const faces = await gallery.vectors(faceid);
  return new Map(faces.map(({ face, vector }) => [face.id, vector]));
}
