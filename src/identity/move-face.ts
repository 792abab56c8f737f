import { splitFaceId } from '../gallery/ids.js';
import type { Enrolled, Gallery } from '../gallery/types.js';
import { KaomonError } from '../platform/errors.js';

/**
 * Gives an enrolled picture to somebody else, with its date and its crop. First it is there, then it is gone here: should
 * the server end in between, both have it, and it can be moved again.
 * @param to faceid of a person who is there
 * @throws KaomonError PERSON_UNKNOWN, FACE_UNKNOWN, STORE_UNAVAILABLE, STORAGE_FULL
 */
export async function moveFace(
  gallery: Pick<Gallery, 'vectors' | 'picture' | 'enrolOnce' | 'removeFace'>,
  { faceid, id }: { faceid: string; id: string },
  to: string,
): Promise<Enrolled> {
  const found = (await gallery.vectors(faceid)).find(({ face }) => face.id === id);
  const target = splitFaceId(to);
  if (!found || !target)
    throw new KaomonError('FACE_UNKNOWN', 'This person has no such picture: it may have been deleted.');
  const { face, vector } = found;
  if (faceid === to) return { face, already: true };
  const crop = face.hasPicture ? await gallery.picture(faceid, id) : undefined;
  const moved = await gallery.enrolOnce(
    {
      ...target,
      at: new Date(face.enrolledAt),
      automatic: face.automatic,
      id: `${to}${id.slice(faceid.length)}`,
      ...(crop && { crop }),
    },
    vector,
  );
  await gallery.removeFace(faceid, id);
  return moved;
}
