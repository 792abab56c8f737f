import { KaomonError } from '../platform/errors.js';
import type { ChangeKind, GalleryChange } from '../events/event.js';
import { withStoreErrors } from './announce.js';
import { refuseUnknown } from './ask.js';
import type { Core } from './core.js';
import { MOST_CORRECTIONS } from './corrections.js';
import { checkEmbedding, isSameEmbedding } from './embedding.js';
import { nameFace, parseFaceId } from './face-name.js';
import { splitFaceId } from './ids.js';
import type { StoredCorrection } from './store/store.js';
import type { Correction, Gallery } from './types.js';

type Operations = Pick<
  Gallery,
  'correct' | 'removeCorrection' | 'corrections' | 'correctionVectors' | 'correctionPicture' | 'ruledOut'
>;

const withoutVector = ({ id, faceid, at, hasPicture }: StoredCorrection): Correction => {
  return { id, faceid, at, hasPicture };
};

class AlreadyThere extends Error {
  constructor(readonly correction: Correction) {
    super('This was said before.');
  }
}

/** A gallery's methods for what is said against a name. */
export function createCorrectionOperations(core: Core): Operations {
  const { ask, memory, store } = core;
  const { corrections } = memory;

  const changeOf = (kind: ChangeKind, faceid: string, face: string): GalleryChange => ({
    kind,
    groupid: splitFaceId(faceid)?.groupid ?? '',
    faceid,
    face,
    at: new Date().toISOString(),
  });

  const find = (faceid: string, id: string) => corrections.of(faceid).find((one) => one.id === id);

  /** Asks the store where memory does not know it: another worker may have taken it a moment ago. */
  async function requireCorrection(
    faceid: string,
    id: string,
    reload = core.lockAndReload,
  ): Promise<StoredCorrection> {
    const known = find(faceid, id);
    if (known) return known;
    if (splitFaceId(faceid)) await withStoreErrors(reload([faceid]));
    const found = find(faceid, id);
    if (found) return found;
    throw new KaomonError(
      'CORRECTION_UNKNOWN',
      'There is no such correction: it may have been taken back, or the person has another ID now.',
    );
  }

  /** @param given the ID in another gallery, kept where it is one of this person's and not taken */
  function nameOf(faceid: string, given: string | undefined): string {
    const isTaken = given !== undefined && (memory.hasFace(faceid, given) || find(faceid, given));
    if (given !== undefined && !isTaken && parseFaceId(faceid, given)) return given;
    return nameFace(faceid, new Date(), false).replace(/_m(?=[0-9a-f]+$)/, '_n');
  }

  /** @throws KaomonError CORRECTION_REFUSED; AlreadyThere */
  async function refusePointless(faceid: string, vector: Float32Array): Promise<void> {
    const said = corrections.of(faceid);
    const same = said.find((one) => isSameEmbedding(one.vector, vector));
    if (same) throw new AlreadyThere(withoutVector(same));
    const read = (await withStoreErrors(store.readPerson(faceid, new Set()))) ?? refuseUnknown(faceid);
    const own = read.faces.find((face) => face.vector && isSameEmbedding(face.vector, vector));
    if (own)
      throw new KaomonError(
        'CORRECTION_REFUSED',
        `This very picture is enrolled as ${faceid}, and would go on to be found: delete that picture instead.`,
        { details: { faceid, face: own.id } },
      );
    if (said.length >= MOST_CORRECTIONS)
      throw new KaomonError(
        'CORRECTION_REFUSED',
        `Of ${MOST_CORRECTIONS} faces it was said that they are not ${faceid}'s: a picture that is enrolled there is probably of somebody else. Look at the pictures, or take old corrections back.`,
        { details: { faceid, limit: MOST_CORRECTIONS } },
      );
  }

  return {
    async correct(faceid, embedding, crop, given) {
      checkEmbedding(embedding);
      const vector = embedding.slice();
      const id = nameOf(faceid, given);
      const correction: Correction = {
        ...{ id, faceid },
        at: parseFaceId(faceid, id)?.enrolledAt ?? '',
        hasPicture: crop !== undefined,
      };
      try {
        await core.change(
          changeOf('corrected', faceid, id),
          async () => {
            await ask.requirePerson(faceid, core.reload);
            await withStoreErrors(core.reload([faceid]));
            await ask.requirePerson(faceid, core.reload);
            await refusePointless(faceid, vector);
          },
          async () => {
            if (!(await store.addCorrection(correction, vector, crop))) refuseUnknown(faceid);
            return () => corrections.set(faceid, [...corrections.of(faceid), { ...correction, vector }]);
          },
        );
      } catch (error) {
        if (!(error instanceof AlreadyThere)) throw error;
        return { correction: error.correction, already: true };
      }
      return { correction, already: false };
    },

    async removeCorrection(faceid, id) {
      await core.change(
        changeOf('correction-removed', faceid, id),
        () => requireCorrection(faceid, id, core.reload),
        async () => {
          const removed = await store.removeCorrection(await requireCorrection(faceid, id, core.reload));
          return () => {
            corrections.set(
              faceid,
              corrections.of(faceid).filter((one) => one.id !== id),
            );
            return removed;
          };
        },
      );
    },

    corrections({ faceid, groups } = {}) {
      const people = faceid === undefined ? corrections.people().sort() : [faceid];
      return people
        .filter((one) => memory.has(one) && (!groups || groups.has(splitFaceId(one)?.groupid ?? '')))
        .flatMap((one) => corrections.of(one).map(withoutVector));
    },

    correctionVectors: (faceid) =>
      corrections.of(faceid).map((one) => ({ correction: withoutVector(one), vector: one.vector })),

    async correctionPicture(faceid, id) {
      return withStoreErrors(store.picture(await requireCorrection(faceid, id)));
    },

    ruledOut(faceid, embedding, distance) {
      const found = corrections.ruling(faceid, embedding, distance);
      return found && withoutVector(found);
    },
  };
}
