/** What was said against a name, in an archive: a line each, with its vector and its picture, because they are few. */
import { endianness } from 'node:os';
import { throwIfGone } from '../../platform/errors.js';
import { MOST_CORRECTIONS } from '../corrections.js';
import { faceIdOf, splitFaceId } from '../ids.js';
import type { CorrectionToTake } from './archive.js';
import { type ArchivedCorrection, CORRECTION_PICTURE_BYTES, refuseArchive } from './format.js';
import { toLine } from './json-lines.js';
import { type ReadGallery, unlessGone } from './reading.js';
import type { Spool } from './spool.js';

const IS_LITTLE = endianness() === 'LE';
const WIDTH = 4;

/**
 * Writes down the corrections of people who are in the archive. What is taken back meanwhile is left out.
 * @param faceids in the archive's order
 * @returns how many there are
 */
export async function writeCorrections(
  gallery: Pick<ReadGallery, 'correctionVectors' | 'correctionPicture'>,
  faceids: readonly string[],
  into: Spool,
  gone: AbortSignal,
): Promise<number> {
  let count = 0;
  for (const faceid of faceids) {
    throwIfGone(gone);
    const { groupid = '', userid = '' } = splitFaceId(faceid) ?? {};
    for (const { correction, vector } of gallery.correctionVectors(faceid)) {
      const { id, hasPicture } = correction;
      const png = hasPicture ? await unlessGone(gallery.correctionPicture(faceid, id)) : undefined;
      const picture = png && png.length <= CORRECTION_PICTURE_BYTES && Buffer.from(png).toString('base64');
      const line: ArchivedCorrection = {
        ...{ groupid, userid, id, vector: encode(vector) },
        ...(picture && { picture }),
      };
      await into.append(toLine(line));
      count += 1;
    }
  }
  return count;
}

/** A correction with what it is called in messages. */
export interface ReadCorrection {
  id: string;
  vector: Float32Array;
  picture?: string | undefined;
  what: string;
}

/**
 * Hands out the corrections of an archive as its people pass, which are in the same order.
 * @throws KaomonError ARCHIVE_INVALID when they are not, from each of its functions
 */
export function alongside(lines: AsyncGenerator<ArchivedCorrection & { what: string }>) {
  let next: IteratorResult<ArchivedCorrection & { what: string }, unknown> | undefined;

  return {
    /** A person's; none when they were asked for before. */
    async of(faceid: string): Promise<ReadCorrection[]> {
      const found: ReadCorrection[] = [];
      for (next ??= await lines.next(); !next.done; next = await lines.next()) {
        const { groupid, userid, id, vector, picture, what } = next.value;
        const whose = faceIdOf(groupid, userid);
        if (whose > faceid) break;
        if (whose < faceid) refuseArchive(`${what} is nobody's, or out of order`);
        if (found.length === MOST_CORRECTIONS)
          refuseArchive(`${what} is one too many: a person has ${MOST_CORRECTIONS} at most`);
        found.push({ id, vector: decode(vector), picture, what });
      }
      return found;
    },

    /** After the last person. */
    async end(): Promise<void> {
      next ??= await lines.next();
      if (!next.done) refuseArchive(`${next.value.what} is nobody's, or out of order`);
    },
  };
}

/** As an import hands it over. */
export function toTake({ id, vector, picture }: ReadCorrection): CorrectionToTake {
  return { id, vector, ...(picture && { crop: Buffer.from(picture, 'base64') }) };
}

/** Little-endian float32. */
function encode(vector: Float32Array): string {
  const bytes = Buffer.from(vector.slice().buffer);
  return (IS_LITTLE ? bytes : bytes.swap32()).toString('base64');
}

/** @returns as many numbers as there are; what is left over shows by its length */
function decode(text: string): Float32Array {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length % WIDTH !== 0) return new Float32Array(0);
  const vector = new Float32Array(bytes.length / WIDTH);
  for (let i = 0; i < vector.length; i++) vector[i] = bytes.readFloatLE(i * WIDTH);
  return vector;
}
