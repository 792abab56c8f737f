import { createHash } from 'node:crypto';
import type { Face } from '../../gallery/types.js';

/**
 * `<faceid>_<YYYYMMDD>_<HHMMSS>_<a or m><10 hex digits>`: how the gallery names the faces that it enrols. The hash of the
 * picture that may follow is left out, because older faces have none.
 */
const OURS = /_(\d{8})_(\d{4})(\d{2})_([am])([0-9a-f]{10})(?:[0-9a-f]{16})?$/;

/**
 * A face's `image_id`: CompreFace's are UUIDs, and typed SDKs refuse anything else. It is made from the part of the
 * face's ID that does not name the person, so that it stays when the person is renamed or moved.
 * @returns a UUID of version 8, lower case
 */
export function imageIdOf({ id, faceid }: Face): string {
  const ours = OURS.exec(id);
  if (ours) {
    const [, date, hourAndMinute, second, kind, unique] = ours;
    return `${date}-${hourAndMinute}-8${second}${kind === 'a' ? 'a' : '0'}-8000-00${unique}`;
  }
  // A file that was named by hand.
  const own = id.startsWith(`${faceid}_`) ? id.slice(faceid.length) : id;
  const hex = createHash('sha256').update(own).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-9${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
