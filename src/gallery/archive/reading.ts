/** How an export reads the gallery. */
import { KaomonError } from '../../platform/errors.js';
import type { Gallery, PeoplePage, Person } from '../types.js';

/** What an export needs of a gallery. */
export type ReadGallery = Pick<
  Gallery,
  | 'groups'
  | 'people'
  | 'vectors'
  | 'copyVectors'
  | 'picture'
  | 'corrections'
  | 'correctionVectors'
  | 'correctionPicture'
>;

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

/** What the work resolves to; undefined when the person or the face is gone. */
export async function unlessGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (
      error instanceof KaomonError &&
      ['PERSON_UNKNOWN', 'FACE_UNKNOWN', 'CORRECTION_UNKNOWN'].includes(error.code)
    )
      return undefined;
    throw error;
  }
}
