import type { ChangeKind, GalleryChange } from '../events/event.js';
import { KaomonError } from '../platform/errors.js';
import { withStoreErrors } from './announce.js';
import { refuseExisting, refuseFace, refuseUnknown } from './ask.js';
import { checkEmbedding, isSameEmbedding } from './embedding.js';
import { parseFaceId, findByPicture, nameFace } from './face-name.js';
import type { Core } from './core.js';
import { checkGroupId, checkUserId, faceIdOf, splitFaceId } from './ids.js';
import { normaliseName } from './names.js';
import { profileOf } from './store/profile.js';
import type { Profile, ReadPerson } from './store/store.js';
import type { Enrolment, Erased, Face, Gallery, Person } from './types.js';

type PersonOperations = Pick<
  Gallery,
  | 'createPerson'
  | 'updatePerson'
  | 'movePerson'
  | 'mergePerson'
  | 'remove'
  | 'removeIf'
  | 'enrol'
  | 'enrolOnce'
  | 'removeFace'
  | 'picture'
  | 'vectors'
>;

/** How many of the nearest people are checked for the same picture: others may have it, too. */
const NEAR = 8;
/** Squared L2, looser than `isSameEmbedding`, because an index may round. */
const MAYBE_SAME = 1e-4;

class AlreadyThere extends Error {
  constructor(readonly face: Face) {
    super('This picture is enrolled already.');
  }
}

/** A person is not to be deleted after all. */
class NotRight extends Error {}

/** A gallery's methods for people and faces. */
export function createPersonOperations(core: Core): PersonOperations {
  const { ask, memory, store } = core;

  const changeOf = (kind: ChangeKind, faceid: string): GalleryChange => ({
    kind,
    groupid: splitFaceId(faceid)?.groupid ?? '',
    faceid,
    at: new Date().toISOString(),
  });

  function checkPerson({ groupid, userid }: { groupid: string; userid: string }): string {
    checkGroupId(groupid);
    checkUserId(userid);
    return faceIdOf(groupid, userid);
  }

  async function readAnew(faceid: string): Promise<ReadPerson> {
    return (await withStoreErrors(store.readPerson(faceid, new Set()))) ?? refuseUnknown(faceid);
  }

  /** Moves `from` to `to` in memory, in one step. */
  function applyMove(from: string, to: string, read: ReadPerson): Person {
    memory.drop(from);
    memory.setPerson(to, read);
    memory.succeed(from, to);
    return memory.person(to) ?? refuseUnknown(to);
  }

  function updatePerson(
    faceid: string,
    { username, metadata, consent }: Parameters<Gallery['updatePerson']>[1],
  ): Promise<Person> {
    return core.change(
      changeOf('updated', faceid),
      async () => {
        // One worker may change the name while another changes the metadata: neither may undo the other.
        await ask.requirePerson(faceid, core.reload);
        await withStoreErrors(core.reload([faceid]));
        await ask.requirePerson(faceid, core.reload);
      },
      async () => {
        const before = memory.profile(faceid);
        const profile: Profile = {
          username: username === undefined ? before.username : normaliseName(username),
          metadata: metadata ?? before.metadata,
          consent: consent === undefined ? before.consent : (consent ?? undefined),
        };
        if (!(await store.savePerson(faceid, profile))) refuseUnknown(faceid);
        return () => memory.setProfile(faceid, profile);
      },
    );
  }

  /**
   * Call it after a reload: another worker may have enrolled the picture a moment ago.
   * @throws AlreadyThere
   */
  async function refuseSame(faceid: string, vector: Float32Array, picture?: string): Promise<void> {
    const faces = memory.person(faceid)?.faces ?? [];
    const same = picture === undefined ? undefined : findByPicture(faces, picture);
    if (same) throw new AlreadyThere(same);
    // The store is read only where the index finds the person this near, be it by the template.
    const near = await core.nearest(vector, NEAR);
    if (!near.some(({ person, distance }) => person.faceid === faceid && distance < MAYBE_SAME)) return;
    const { faces: stored } = await readAnew(faceid);
    const twin = stored.find((face) => face.vector && isSameEmbedding(face.vector, vector));
    const face = faces.find(({ id }) => id === twin?.id);
    if (face) throw new AlreadyThere(face);
  }

  /** @param once whether to throw AlreadyThere for a picture that the person has */
  async function enrol(enrolment: Enrolment, embedding: Float32Array, once = false): Promise<Face> {
    const { groupid, userid, username, consent, automatic = false, at = new Date() } = enrolment;
    const { crop, picture, id } = enrolment;
    const faceid = checkPerson({ groupid, userid });
    checkEmbedding(embedding);
    await ask.requireGroup(groupid);
    const vector = embedding.slice();
    const given = id === undefined || memory.hasFace(faceid, id) ? undefined : parseFaceId(faceid, id);
    const made = nameFace(faceid, at, automatic, picture);
    const enrolledAt = `${at.toISOString().slice(0, 19)}Z`;
    const face: Face = {
      ...(given ?? { id: made, faceid, enrolledAt, automatic }),
      hasPicture: crop !== undefined,
    };
    return core.change(
      { ...changeOf('enrolled', faceid), face: face.id },
      async () => {
        // Another worker may have made, renamed or deleted the person a moment ago, and whether the name changes
        // must be judged by the store.
        await withStoreErrors(core.reload([faceid]));
        if (once) await refuseSame(faceid, vector, picture);
      },
      async () => {
        const before = memory.profile(faceid);
        const named = username === undefined ? before.username : normaliseName(username);
        const profile = { ...before, username: named, consent: consent ?? before.consent };
        const isNamed = profile.username !== before.username || consent !== undefined;
        // The first template needs both vectors; later faces are added to it.
        const first = memory.lacksFirst(faceid)
          ? ((await store.readPerson(faceid, new Set()))?.faces ?? [])
          : undefined;
        await store.addFace(face, vector, { crop, profile: isNamed ? profile : undefined });
        return () => {
          const faces = first ?? memory.person(faceid)?.faces ?? [];
          memory.setPerson(faceid, { faceid, ...profile, faces: [...faces, { ...face, vector }] });
          return face;
        };
      },
    );
  }

  function remove(faceid: string, check: () => Promise<unknown>): Promise<Erased> {
    return core.change(changeOf('removed', faceid), check, async () => {
      const removed = (await store.removePerson(faceid)) ?? refuseUnknown(faceid);
      return () => {
        memory.drop(faceid);
        return { people: 1, ...removed };
      };
    });
  }

  return {
    async createPerson({ groupid, userid, username: given = '', metadata = {}, consent }) {
      const faceid = checkPerson({ groupid, userid });
      const username = normaliseName(given);
      await ask.requireGroup(groupid);
      return core.change(
        changeOf('created', faceid),
        () => ask.requireNobody(faceid, core.reload),
        async () => {
          const profile = profileOf({ username, metadata, consent });
          if (!(await store.createPerson(faceid, profile))) refuseExisting(faceid);
          return () => memory.setProfile(faceid, profile);
        },
      );
    },

    updatePerson,

    async movePerson(from, to) {
      const faceid = checkPerson(to);
      await ask.requireGroup(to.groupid);
      if (faceid === from) return ask.requirePerson(from);
      return core.change(
        { ...changeOf('moved', faceid), from },
        async () => {
          await ask.requirePerson(from, core.reload);
          await ask.requireNobody(faceid, core.reload);
        },
        async () => {
          const outcome = await store.movePerson(from, faceid);
          if (outcome === 'missing') refuseUnknown(from);
          if (outcome === 'exists') refuseExisting(faceid);
          const read = await readAnew(faceid);
          return () => applyMove(from, faceid, read);
        },
      );
    },

    async mergePerson(from, into) {
      if (from === into) return ask.requirePerson(into);
      return core.change(
        { ...changeOf('merged', into), from },
        async () => {
          await ask.requirePerson(from, core.reload);
          await ask.requirePerson(into, core.reload);
        },
        async () => {
          if (!(await store.mergePerson(from, into))) refuseUnknown(from);
          const read = await readAnew(into);
          return () => applyMove(from, into, read);
        },
      );
    },

    async remove(groupid, userid) {
      const faceid = checkPerson({ groupid, userid });
      await ask.requireGroup(groupid);
      return remove(faceid, () => ask.requirePerson(faceid, core.reload));
    },

    async removeIf(faceid, isRight) {
      try {
        return await remove(faceid, async () => {
          // Another worker may have changed them a moment ago.
          await withStoreErrors(core.reload([faceid]));
          if (!isRight(await ask.requirePerson(faceid, core.reload))) throw new NotRight();
        });
      } catch (error) {
        const isGone = error instanceof KaomonError && error.code === 'PERSON_UNKNOWN';
        if (error instanceof NotRight || isGone) return undefined;
        throw error;
      }
    },

    enrol,

    async enrolOnce(enrolment, embedding) {
      try {
        return { face: await enrol(enrolment, embedding, true), already: false };
      } catch (error) {
        if (!(error instanceof AlreadyThere)) throw error;
        const { face } = error;
        const { consent } = enrolment;
        const username = enrolment.username === undefined ? undefined : normaliseName(enrolment.username);
        const isNamed = username !== undefined && memory.person(face.faceid)?.username !== username;
        if (isNamed || consent)
          await updatePerson(face.faceid, { ...(isNamed && { username }), ...(consent && { consent }) });
        return { face, already: true };
      }
    },

    async removeFace(faceid, id) {
      await core.change(
        { ...changeOf('face-removed', faceid), face: id },
        () => ask.requireFace(faceid, id, core.reload),
        async () => {
          const face = await ask.requireFace(faceid, id, core.reload);
          // The other faces are read before the store changes: it may not be reachable afterwards.
          const left = await core.read(faceid, memory.faceIds(faceid), id);
          if (!(await store.removeFace(face))) refuseFace();
          return () => memory.setPerson(faceid, left);
        },
      );
    },

    async picture(faceid, id) {
      return withStoreErrors(store.picture(await ask.requireFace(faceid, id)));
    },

    async vectors(faceid) {
      await ask.requirePerson(faceid);
      const { faces } = await readAnew(faceid);
      return faces.flatMap(({ vector, ...face }) => (vector ? [{ face, vector }] : []));
    },
  };
}
