import { squaredDistance } from '../gallery/distance.js';
import { findByPicture, hashPicture } from '../gallery/face-name.js';
import { checkGroupId, checkUserId, faceIdOf } from '../gallery/ids.js';
import type { Enrolled, Enrolment, Face, Gallery, Person } from '../gallery/types.js';
import { KaomonError } from '../platform/errors.js';
import { createKeyedMutex } from '../platform/keyed-mutex.js';
import type { AnalysedFace, Analysis, AnalyzeOptions, StageTimes } from '../vision/types.js';
import { createConsentCheck } from './consent.js';
import type { CountedWork, Whose } from './counted-work.js';
import type { Decision } from './decision.js';
import { createDoubleClicks } from './double-click.js';
import { checkFace, chooseFace, type EnrolLimits } from './fit-to-enrol.js';
import { createOtherPersonCheck } from './other-person.js';
import { createSamePersonCheck } from './same-person.js';

export interface EnrollerDeps {
  /** Analyses a picture; where it turned it first, `turned` is by how many degrees. */
  vision: { analyze(bytes: Uint8Array, options?: AnalyzeOptions): Promise<Analysis & { turned?: number }> };
  gallery: Pick<Gallery, 'enrol' | 'enrolOnce' | 'updatePerson' | 'group' | 'person'>;
  /** The gallery's `nearest`, perhaps wrapped for metrics. */
  nearest: Gallery['nearest'];
  searches: Pick<CountedWork, 'admit' | 'one'>;
  enrolments: Pick<CountedWork, 'admit' | 'one'>;
  limits: EnrolLimits;
  /** A face that it would name as somebody else is refused, and one that is too far from the person's own. */
  decision: Pick<Decision, 'threshold' | 'apart'>;
  /** A second enrolment of a person within so many seconds is taken for a double click (maiface's E1002). */
  doubleSeconds: number;
  /** Store the aligned face beside its vector. */
  keepFaces: boolean;
  /** Enrol nobody whose consent is not recorded, or is over. Default: consent is not asked for. */
  needsConsent?: boolean | undefined;
}

/** Whom a face is enrolled for. */
export type EnrolPerson = Pick<Enrolment, 'groupid' | 'userid' | 'username' | 'consent'>;

/** A face of an analysed picture, or an embedding whose picture is elsewhere. What was not measured is not checked. */
export type FaceToEnrol = Pick<AnalysedFace, 'embedding' | 'crop'> &
  Partial<Pick<AnalysedFace, 'box' | 'quality' | 'unfit'>>;

export interface EnrolFaceOptions extends Whose {
  /** Enrol the face even if it is enrolled under another person, or is not like the person's other faces. */
  force?: boolean;
  /**
   * The groups that the caller may see; undefined: all. People of others are not compared, because even a refusal would
   * reveal that a face is enrolled there.
   */
  groups?: ReadonlySet<string>;
  /** The caller has made sure that the person does not have this face yet. */
  isNew?: boolean;
}

export interface EnrolOptions extends EnrolFaceOptions, Pick<AnalyzeOptions, 'minProbability'> {
  /** This is one of several pictures of the person: a recent enrolment is not taken for a double click. */
  oneOfSeveral?: boolean;
  /**
   * Decides at the last moment whose the face is, and stores it: for a surface that derives its people's IDs, where two
   * requests may be creating the same person.
   */
  storing?: (store: (person: EnrolPerson) => Promise<Enrolled>) => Promise<Enrolled>;
}

/** Where the time went with a picture, and what was done to it. */
interface Seen {
  times: StageTimes;
  /** By how many degrees clockwise the picture was turned to find its face. */
  turned?: number;
}

/** The outcome of enrolling a picture. */
export interface EnrolledPicture extends Enrolled, Seen {}

/** A picture that can be enrolled, and has been looked at: its face, or that which was enrolled from it before. */
export interface LookedAt extends Seen {
  /** As `hashPicture`. */
  picture: string;
  found: { face: FaceToEnrol } | { before: Face };
  /** Which of the call's pictures it is, from 0; undefined where it came alone. */
  place?: number;
}

/** See {@link createEnroller}. */
export type Enroller = ReturnType<typeof createEnroller>;

/**
 * The one place where faces are enrolled, for every way in. docs/ways-in.md says which rule applies to which: a picture's
 * quality, a picture the person has already, a face of somebody else.
 */
export function createEnroller(deps: EnrollerDeps) {
  const { vision, gallery, nearest, searches, enrolments, limits, decision, doubleSeconds, keepFaces } = deps;
  const refuseOtherPerson = createOtherPersonCheck({ nearest, searches, decision });
  const findRefused = createSamePersonCheck({ gallery, nearest, searches, decision, refuseOtherPerson });
  const doubles = createDoubleClicks(doubleSeconds);
  const requireConsent = createConsentCheck(gallery, deps.needsConsent ?? false);
  /** Of a person's pictures each is compared with those before it. */
  const people = createKeyedMutex();
  /** Faces being stored, which no search finds yet. */
  const arriving = new Set<{ faceid: string; embedding: Float32Array; stored: Promise<unknown> }>();

  /** When one face is enrolled for two people at once, the second waits for the first and then finds it. */
  const sameIn = (faceid: string, embedding: Float32Array, limit: number) =>
    [...arriving].filter(
      (other) => other.faceid !== faceid && squaredDistance(other.embedding, embedding) < limit,
    );

  /**
   * Enrols a face. One that the person has already is not enrolled again (`already`).
   * @throws KaomonError CONSENT_MISSING, FACE_TOO_SMALL, FACE_BLURRED, FACE_TURNED, OTHER_PERSON, BUSY, TOO_MANY_REQUESTS, CLIENT_GONE, and
   *   what Gallery.enrol throws
   */
  async function enrolFace(
    enrolment: Omit<Enrolment, 'crop'>,
    face: FaceToEnrol,
    { force = false, groups, isNew = false, caller, signal, isAdmitted }: EnrolFaceOptions = {},
  ): Promise<Enrolled> {
    checkFace(face, limits);
    const { embedding, crop } = face;
    if (!embedding) throw new Error('The vision thread answered a face without its embedding.');
    const faceid = faceIdOf(enrolment.groupid, enrolment.userid);
    const whose = { caller, signal, isAdmitted };
    // Those that began before it, and before this one is added: no two wait for each other.
    const before = force ? [] : sameIn(faceid, embedding, decision.threshold(groups));
    const store = async (): Promise<Enrolled> => {
      await requireConsent(enrolment);
      if (!force) {
        await Promise.allSettled(before.map(({ stored }) => stored));
        await refuseOtherPerson(faceid, embedding, groups, whose);
      }
      const whole = { ...enrolment, crop };
      // Once it has begun it is stored even if the client hangs up.
      return await enrolments.one(async () => {
        if (isNew) return { face: await gallery.enrol(whole, embedding), already: false };
        return await gallery.enrolOnce(whole, embedding);
      }, whose);
    };
    const stored = store();
    const mine = { faceid, embedding, stored };
    arriving.add(mine);
    try {
      return await stored;
    } finally {
      arriving.delete(mine);
    }
  }

  /**
   * Looks at a picture of a person, after the checks that need no analysis, and enrols nothing.
   * @param bytes an encoded picture; handed over (see VisionPool.analyze)
   * @throws KaomonError GROUPID_INVALID, USERID_INVALID, GROUP_UNKNOWN, ALREADY_REGISTERED, NO_FACE, SEVERAL_FACES,
   *   FACE_TOO_SMALL, FACE_BLURRED, FACE_TURNED, BUSY, TOO_MANY_REQUESTS and what VisionPool.analyze throws
   */
  async function look(
    person: EnrolPerson,
    bytes: Uint8Array,
    { caller, signal, minProbability, oneOfSeveral, force }: EnrolOptions,
    place?: number,
  ): Promise<LookedAt> {
    checkUserId(person.userid);
    checkGroupId(person.groupid);
    await refuseUnknownGroup(gallery, person.groupid);
    await requireConsent(person);
    if (!force) searches.admit(caller);
    enrolments.admit(caller);
    const faceid = faceIdOf(person.groupid, person.userid);
    const picture = await hashPicture(bytes);
    const known = await gallery.person(faceid);
    if (!oneOfSeveral) doubles.refuseLately(faceid, known);
    const before = await findEnrolled(gallery, known, person.username, picture);
    if (before)
      return { picture, place, found: { before }, times: { queue: 0, decode: 0, detect: 0, embed: 0 } };
    const wanted = { quality: true, crops: keepFaces, views: true };
    const analysis = await vision.analyze(bytes, { ...wanted, caller, signal, minProbability });
    const face = chooseFace(analysis);
    checkFace(face, limits);
    return { picture, place, found: { face }, times: analysis.times, turned: analysis.turned };
  }

  /**
   * Enrols pictures of one person, which are compared with one another and with those that the person has.
   * @returns the outcome of each, in order; a refusal is as `enrolFace` throws it, or NOT_THE_SAME_PERSON
   */
  function enrolTogether(
    person: EnrolPerson,
    looked: readonly LookedAt[],
    options: EnrolFaceOptions = {},
  ): Promise<PromiseSettledResult<EnrolledPicture>[]> {
    const faceid = faceIdOf(person.groupid, person.userid);
    return people.run(faceid, async () => {
      const faces = looked.map(({ found, picture, place }) => {
        return { embedding: 'face' in found ? found.face.embedding : undefined, picture, place };
      });
      const refused = options.force ? new Map<number, unknown>() : await findRefused(faceid, faces, options);
      const outcomes: PromiseSettledResult<EnrolledPicture>[] = [];
      for (const [at, { found, picture, times, turned }] of looked.entries()) {
        try {
          if (refused.has(at)) throw refused.get(at);
          const { face, already } =
            'before' in found
              ? { face: found.before, already: true }
              : await enrolFace({ ...person, picture }, found.face, { ...options, isAdmitted: true });
          if ('face' in found) doubles.note(faceid, face.id);
          outcomes.push({ status: 'fulfilled', value: { face, already, times, turned } });
        } catch (reason) {
          outcomes.push({ status: 'rejected', reason });
        }
      }
      return outcomes;
    });
  }

  return {
    enrolFace,
    look,
    enrolTogether,

    /**
     * Enrols the one face of a picture. A picture that the person has already, by its bytes or its embedding, is not
     * enrolled again (`already`).
     * @param bytes an encoded picture; handed over (see VisionPool.analyze)
     * @throws KaomonError NOT_THE_SAME_PERSON, and what `look` and `enrolFace` throw
     */
    async enrol(
      person: EnrolPerson,
      bytes: Uint8Array,
      options: EnrolOptions = {},
    ): Promise<EnrolledPicture> {
      const { oneOfSeveral, storing } = options;
      const faceid = faceIdOf(person.groupid, person.userid);
      if (!oneOfSeveral) doubles.refuseUnderWay(faceid);
      const end = doubles.begin(faceid);
      try {
        const looked = await look(person, bytes, options);
        const { found, times, turned } = looked;
        if ('before' in found) return { face: found.before, already: true, times, turned };
        const store = async (whose: EnrolPerson) => {
          const [outcome] = await enrolTogether(whose, [looked], options);
          if (outcome.status === 'rejected') throw outcome.reason;
          return outcome.value;
        };
        return { ...(await (storing ? storing(store) : store(person))), times, turned };
      } finally {
        end();
      }
    },
  };
}

/**
 * The face that was enrolled from the same picture before, so that it need not be analysed; updates the name.
 * @param picture as `hashPicture`
 */
async function findEnrolled(
  gallery: Pick<Gallery, 'updatePerson'>,
  person: Person | undefined,
  username: string | undefined,
  picture: string,
): Promise<Face | undefined> {
  const face = person && findByPicture(person.faces, picture);
  if (face && username !== undefined && username !== person.username)
    await gallery.updatePerson(person.faceid, { username });
  return face;
}

async function refuseUnknownGroup(gallery: Pick<Gallery, 'group'>, groupid: string): Promise<void> {
  if (await gallery.group(groupid)) return;
  throw new KaomonError(
    'GROUP_UNKNOWN',
    `There is no group "${groupid}": make it first, or choose one of the list.`,
    { details: { field: 'groupid' } },
  );
}
