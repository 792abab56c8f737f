import { Type } from 'typebox';
import { covers } from '../../access/roles.js';
import type { Face, Person } from '../../gallery/types.js';
import type { Caller } from '../access.js';
import { Nullable } from '../schemas.js';

/**
 * The address of a person's thumbnail: that of the face which is asked for if one is kept of it, else of the newest face
 * of which one is; null where none is, or the caller may not see faces.
 */
export type ThumbnailOf = (person: Pick<Person, 'faceid' | 'faces'>, face?: Pick<Face, 'id'>) => string | null;

/** Where thumbnails are read. Faceids and the IDs of faces need no escaping: see gallery/ids.ts. */
export const THUMBNAIL_PATH = '/api/v1/people/:faceid/faces/:id/picture';

/** Seeing a face needs a higher role than recognising it. */
export const THUMBNAIL_ROLE = 'enrol';

/** The field `thumbnail` of a person or a match. */
export const ThumbnailSchema = Nullable(
  Type.String({
    description:
      'Address of a thumbnail of the face on this server; null: none is kept (`KEEP_FACES`), or the key may not see faces (role `recognise`).',
  }),
);

const addressOf: ThumbnailOf = ({ faceid, faces }, face) => {
  const asked = face && faces.find(({ id, hasPicture }) => hasPicture && id === face.id);
  const shown = asked ?? faces.findLast(({ hasPicture }) => hasPicture);
  return shown ? THUMBNAIL_PATH.replace(':faceid', faceid).replace(':id', shown.id) : null;
};
const none: ThumbnailOf = () => null;

/** What this caller is told of thumbnails, so that a page asks for none that it would be refused. */
export function thumbnailsFor({ role }: Pick<Caller, 'role'>): ThumbnailOf {
  return covers(role, THUMBNAIL_ROLE) ? addressOf : none;
}
