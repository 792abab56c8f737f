/** "This face is not that person's": what is stored of it (docs/corrections.md). */
import type { Correction, Gallery } from '../gallery/types.js';
import { KaomonError } from '../platform/errors.js';
import type { VisionPool } from '../vision/types.js';
import type { CountedWork, Whose } from './counted-work.js';
import { chooseFace, refuseUnfit } from './fit-to-enrol.js';
import { toEmbedding } from './verify.js';

/** The face that was given a wrong name. */
export type WrongFace =
  /** An encoded picture with one face; handed over (see VisionPool.analyze). */
  | { bytes: Uint8Array }
  /** An embedding of any length, and the pack that made it. */
  | { vector: readonly number[]; pack: string }
  /** An embedding of this pack, unit length, with its crop. */
  | { embedding: Float32Array; crop: Uint8Array | null }
  /** An enrolled picture of somebody else. */
  | { owner: string; face: string };

export interface CorrectorDeps {
  vision: Pick<VisionPool, 'analyze'>;
  gallery: Pick<Gallery, 'correct' | 'vectors'>;
  enrolments: Pick<CountedWork, 'admit' | 'one'>;
  pack: { id: string; length: number };
  /** Keep the faces' crops beside their vectors. */
  keepFaces: boolean;
}

/** See {@link createCorrector}. */
export type Corrector = ReturnType<typeof createCorrector>;

/** Takes "not this person" of a picture or an embedding. */
export function createCorrector({ vision, gallery, enrolments, pack, keepFaces }: CorrectorDeps) {
  async function embed(face: WrongFace, { caller, signal }: Whose) {
    if ('vector' in face) return { embedding: toEmbedding(face, pack) };
    if ('embedding' in face)
      return { embedding: face.embedding, crop: (keepFaces ? face.crop : undefined) ?? undefined };
    if ('face' in face) {
      const enrolled = (await gallery.vectors(face.owner)).find((one) => one.face.id === face.face);
      if (enrolled) return { embedding: enrolled.vector };
      throw new KaomonError('FACE_UNKNOWN', 'There is no such picture: it may have been deleted.', {
        details: { field: 'face' },
      });
    }
    // As a probe is embedded: it is compared with probes.
    const analysis = await vision.analyze(face.bytes, { crops: keepFaces, caller, signal });
    const found = chooseFace(analysis);
    refuseUnfit(found);
    if (!found.embedding) throw new Error('The vision thread answered a face without its embedding.');
    return { embedding: found.embedding, crop: found.crop };
  }

  /**
   * @throws KaomonError PERSON_UNKNOWN, FACE_UNKNOWN, CORRECTION_REFUSED, OTHER_PACK, FIELD_INVALID, NO_FACE, SEVERAL_FACES,
   *   FACE_TOO_SMALL, FACE_BLURRED, FACE_TURNED, BUSY, TOO_MANY_REQUESTS and what VisionPool.analyze throws
   */
  return async (
    faceid: string,
    face: WrongFace,
    whose: Whose,
  ): Promise<{ correction: Correction; already: boolean }> => {
    enrolments.admit(whose.caller);
    const { embedding, crop } = await embed(face, whose);
    // Once it has begun it is stored even if the client hangs up.
    return enrolments.one(() => gallery.correct(faceid, embedding, crop), { ...whose, isAdmitted: true });
  };
}
