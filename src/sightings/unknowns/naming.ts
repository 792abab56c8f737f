/** Who a stranger is: said by somebody who knows, and taken back. */
import { createHash, randomBytes } from 'node:crypto';
import { isRenamed } from '../../gallery/face-name.js';
import { faceIdOf, splitFaceId } from '../../gallery/ids.js';
import type { Gallery } from '../../gallery/types.js';
import type { EnrolFaceOptions, Enroller, EnrolPerson, LookedAt } from '../../identity/enrol.js';
import { KaomonError } from '../../platform/errors.js';
import type { SightingStore } from '../store/client.js';
import type { FaceOfUnknown, Unknown } from './types.js';

export interface NamingDeps {
  store: Pick<SightingStore, 'ask'>;
  gallery: Pick<Gallery, 'person' | 'remove' | 'removeFace' | 'vectors'>;
  enroller: Pick<Enroller, 'enrolTogether'>;
  /** Store the aligned face beside its vector. */
  keepFaces: boolean;
  /** Milliseconds since 1970. */
  now?: () => number;
}

/** The outcome of naming. */
export interface NamedUnknown {
  faceid: string;
  /** How many sightings carry the name now. */
  sightings: number;
  /** IDs of the faces that were enrolled. */
  faces: string[];
  /** Takes it back: see `undo`. */
  undo: string;
}

/** See {@link createNaming}. */
export type Naming = ReturnType<typeof createNaming>;

/**
 * Naming a stranger enrols the best and most different faces, by the rules for every enrolment, and gives the past sightings
 * to the person. It is done in that order, and each step may be done twice, so that a server that is killed in between
 * leaves at worst a person who has the faces but not yet the sightings.
 */
export function createNaming({ store, gallery, enroller, keepFaces, now = Date.now }: NamingDeps) {
  /** @throws KaomonError UNKNOWN_GONE, OTHER_PERSON, NOT_THE_SAME_PERSON and what Enroller.enrolFace throws */
  async function give(
    unknown: string,
    person: EnrolPerson,
    options: EnrolFaceOptions,
    isNew: boolean,
  ): Promise<NamedUnknown> {
    const found = await store.ask('facesOfUnknown', unknown);
    if (!found) throw gone();
    const looked = found.faces.map(toLookedAt);
    const outcomes = await enroller.enrolTogether(person, looked, options);
    const faceid = faceIdOf(person.groupid, person.userid);
    const faces = outcomes.flatMap((one) =>
      one.status === 'fulfilled' && !one.value.already ? [one.value.face.id] : [],
    );
    const refusal = outcomes.find((one) => one.status === 'rejected');
    const outcome = { isUnclear: false };
    try {
      // Some of several may be refused: the others name the person.
      if (refusal && outcomes.every(({ status }) => status === 'rejected')) throw refusal.reason;
      const token = randomBytes(16).toString('base64url');
      const vectors = found.faces.map(({ vector }) => vector);
      const { groupid } = person;
      const asked = { unknown: found.id, token, now: now(), faceid, groupid, isNew, faces, vectors };
      const sightings = await store.ask('nameUnknown', asked).catch(async (error: unknown) => {
        // It may have been done all the same, or Redis may do it later.
        outcome.isUnclear = true;
        const settled = await store.ask('settleNaming', token).catch(() => Promise.reject(error as Error));
        outcome.isUnclear = false;
        if (settled === undefined) throw error;
        return settled;
      });
      // Somebody else was quicker.
      if (sightings === 0) throw gone();
      return { faceid, sightings, faces, undo: token };
    } catch (error) {
      // Deleting a person who has the sightings by now would erase them.
      if (!outcome.isUnclear) await takeBack({ faceid, isNew, faces });
      throw error;
    }
  }

  /** Deletes what was enrolled for a name, and the person if nothing else is known of them. */
  async function takeBack({ faceid, isNew, faces }: { faceid: string; isNew: boolean; faces: string[] }) {
    for (const id of await currentIds(faceid, faces)) await gallery.removeFace(faceid, id).catch(unlessGone);
    const person = isNew ? await gallery.person(faceid) : undefined;
    if (!person || person.faces.length > 0) return;
    await gallery.remove(person.groupid, person.userid).catch(unlessGone);
  }

  /** What faces of a person are called by now: moving and merging people renames theirs. Those that are gone are left out. */
  async function currentIds(faceid: string, faces: readonly string[]): Promise<string[]> {
    const there = new Set((await gallery.person(faceid))?.faces.map(({ id }) => id));
    const renamed = faces.filter((id) => !there.has(id));
    if (there.size === 0 || renamed.length === 0) return faces.filter((id) => there.has(id));
    const stored = (await gallery.vectors(faceid).catch(unlessGone)) ?? [];
    const found = stored.filter(({ face, vector }) =>
      renamed.some((former) => isRenamed(face.id, former, pictureOf(vector))),
    );
    return [...faces.filter((id) => there.has(id)), ...found.map(({ face }) => face.id)];
  }

  function toLookedAt({ vector, crop, quality }: FaceOfUnknown): LookedAt {
    const { size, sharpness, yaw, pitch, roll } = quality;
    const measured = size !== null && sharpness !== null;
    return {
      picture: pictureOf(vector),
      times: { queue: 0, decode: 0, detect: 0, embed: 0 },
      found: {
        face: {
          embedding: vector,
          ...(crop && keepFaces && { crop }),
          ...(measured && {
            quality: {
              ...{ size, sharpness, brightness: 0 },
              ...(yaw !== null && { yaw }),
              ...(pitch !== null && { pitch }),
              ...(roll !== null && { roll }),
            },
          }),
        },
      },
    };
  }

  return {
    /**
     * Makes a person of a stranger.
     * @param unknown such as `u-7`
     * @throws KaomonError UNKNOWN_GONE, PERSON_EXISTS, OTHER_PERSON, GROUP_UNKNOWN, ...
     */
    async name(unknown: string, person: EnrolPerson, options: EnrolFaceOptions): Promise<NamedUnknown> {
      if (await gallery.person(faceIdOf(person.groupid, person.userid)))
        throw new KaomonError(
          'PERSON_EXISTS',
          'Somebody has this ID already: choose another one, or say that it is the same person.',
          { details: { field: 'userid' } },
        );
      return await give(unknown, person, options, true);
    },

    /**
     * Says that a stranger is somebody who is enrolled.
     * @throws KaomonError UNKNOWN_GONE, PERSON_UNKNOWN, OTHER_PERSON, NOT_THE_SAME_PERSON, ...
     */
    async sameAs(unknown: string, faceid: string, options: EnrolFaceOptions): Promise<NamedUnknown> {
      const ids = splitFaceId(faceid);
      if (!ids || !(await gallery.person(faceid)))
        throw new KaomonError('PERSON_UNKNOWN', 'Nobody is enrolled under this faceid.', {
          details: { field: 'faceid' },
        });
      return await give(unknown, ids, options, false);
    },

    /** Keeps a stranger quiet, or no longer. @throws KaomonError UNKNOWN_GONE */
    async ignore(unknown: string, isIgnored: boolean): Promise<Unknown & { undo: string }> {
      const token = randomBytes(16).toString('base64url');
      const changed = await store.ask('ignoreUnknown', { unknown, token, now: now(), isIgnored });
      if (!changed) throw gone();
      return { ...changed, undo: token };
    },

    /** @throws KaomonError UNKNOWN_GONE */
    async read(unknown: string): Promise<Unknown> {
      const found = await store.ask('readUnknown', unknown);
      if (!found) throw gone();
      return found;
    },

    /** Says that a stranger is another one. @returns both as one @throws KaomonError UNKNOWN_GONE */
    async join(unknown: string, into: string): Promise<Unknown & { undo: string }> {
      const token = randomBytes(16).toString('base64url');
      const joined = await store.ask('joinUnknowns', { unknown, into, token, now: now() });
      if (!joined) throw gone();
      return { ...joined, undo: token };
    },

    /** Takes back what an answer gave a token for. @throws KaomonError UNDO_GONE */
    async undo(token: string): Promise<{ unknown: string; sightings: number; faceid: string | null }> {
      const undone = await store.ask('undoUnknown', token);
      if (!undone)
        throw new KaomonError(
          'UNDO_GONE',
          'This cannot be undone any more: it has been undone, or is a week old.',
        );
      const { id, sightings, faceid, isNew, faces } = undone;
      // First the sightings: those of a person who is deleted are erased. The token last: what fails is done again with it.
      if (faceid !== null) await takeBack({ faceid, isNew, faces });
      await store.ask('forgetUndo', token);
      return { unknown: id, sightings, faceid };
    },
  };
}

/** The picture itself is gone: the same face is the same picture. */
const pictureOf = (vector: Float32Array) => createHash('sha256').update(vector).digest('hex');

/** Somebody has deleted, moved or merged the person or the face a moment ago. */
function unlessGone(error: unknown): undefined {
  if (!(error instanceof KaomonError) || error.statusCode !== 404) throw error;
}

const gone = () =>
  new KaomonError(
    'UNKNOWN_GONE',
    'This stranger is not there any more: somebody has named them, or their visits are deleted. Load the list again.',
  );
