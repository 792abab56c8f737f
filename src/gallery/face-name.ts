import { createHash, randomBytes, webcrypto } from 'node:crypto';
import type { Face } from './types.js';

/** What follows the faceid in the ID of a face: date, time, and `a` (automatic) or `m` (by hand) with a unique part. */
const END = /_(\d{8})_(\d{6})_([0-9A-Za-z]{1,64})$/;
/** Ten random hexadecimal digits, then sixteen that mark the picture. */
const MARKED = /_[am]([0-9a-f]{10})([0-9a-f]{16})$/;

/**
 * `<faceid>_<YYYYMMDD_HHMMSS>_<id>`: the name tells when and how a face was enrolled, and from which picture.
 * @param picture as {@link hashPicture}; without it the picture is not recognised when it comes again
 */
export function nameFace(faceid: string, at: Date, automatic: boolean, picture?: string): string {
  const digits = at.toISOString().replace(/\D/g, '');
  const unique = randomHex();
  const mark = picture === undefined ? '' : markOf(unique, picture);
  return `${faceid}_${digits.slice(0, 8)}_${digits.slice(8, 14)}_${automatic ? 'a' : 'm'}${unique}${mark}`;
}

/** SHA-256 of a picture's bytes in hexadecimal digits, computed off the main thread. */
export async function hashPicture(bytes: Uint8Array): Promise<string> {
  return Buffer.from(await webcrypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)).toString(
    'hex',
  );
}

/** The face that was enrolled from the very same picture. @param picture as {@link hashPicture} */
export function findByPicture<F extends Pick<Face, 'id'>>(
  faces: readonly F[],
  picture: string,
): F | undefined {
  return faces.find(({ id }) => {
    const marked = MARKED.exec(id);
    return marked !== null && marked[2] === markOf(marked[1], picture);
  });
}

/** Salted with the face's own digits, so that names do not reveal that two people's faces come from one picture. */
function markOf(unique: string, picture: string): string {
  return createHash('sha256').update(`${unique}${picture}`).digest('hex').slice(0, 16);
}

/** The faceid in the ID of a face; anything else is returned unchanged. */
export function personOfFace(id: string): string {
  return id.replace(END, '');
}

/** @returns undefined when the ID is not that of a face of this person, or its date does not exist */
export function parseFaceId(faceid: string, id: string): Omit<Face, 'hasPicture'> | undefined {
  const [, date, time, unique] = END.exec(id) ?? [];
  if (!id.startsWith(`${faceid}_`) || !date) return undefined;
  const [y, mo, d] = [date.slice(0, 4), date.slice(4, 6), date.slice(6)];
  const [h, mi, s] = [time.slice(0, 2), time.slice(2, 4), time.slice(4)];
  if (!isTime(+y, +mo, +d, +h, +mi, +s)) return undefined;
  return { id, faceid, enrolledAt: `${y}-${mo}-${d}T${h}:${mi}:${s}Z`, automatic: unique.startsWith('a') };
}

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Whether the date exists: JavaScript takes February 31 for March 3. By numbers: an export asks for each face. */
function isTime(year: number, month: number, day: number, h: number, min: number, s: number): boolean {
  if (month < 1 || month > 12 || day < 1 || h > 23 || min > 59 || s > 59) return false;
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return day <= DAYS[month - 1] + (month === 2 && isLeap ? 1 : 0);
}

/**
 * The ID of a face of `from` once it belongs to `to`: with the other faceid, and with a new unique part when `taken` has
 * the ID already.
 */
export function renameFace(id: string, from: string, to: string, taken: ReadonlySet<string>): string {
  const renamed = `${to}${id.slice(from.length)}`;
  if (!taken.has(renamed)) return renamed;
  const [, kind = 'm'] = /_([an])[0-9A-Za-z]*$/.exec(renamed) ?? [];
  return renamed.replace(/_[0-9A-Za-z]+$/, `_${kind}${randomHex()}`);
}

/**
 * Whether a face is another one as moves and merges have renamed it: what tells is the picture's mark in the former ID, since
 * a merge may have given the face a new unique part, and its own to another person's face.
 * @param id as it is now @param former its ID when it was enrolled @param picture as {@link hashPicture}, of this face
 */
export function isRenamed(id: string, former: string, picture: string): boolean {
  const timeOf = (text: string) => END.exec(text)?.slice(1, 3).join();
  if (timeOf(id) === undefined || timeOf(id) !== timeOf(former)) return false;
  return findByPicture([{ id: former }], picture) !== undefined;
}

function randomHex(): string {
  return randomBytes(5).toString('hex');
}
