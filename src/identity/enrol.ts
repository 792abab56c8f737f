import { squaredDistance } from '../gallery/distance.js';
import { findByPicture, hashPicture } from '../gallery/face-name.js';
import { checkGroupId, checkUserId, faceIdOf } from '../gallery/ids.js';
import type { Enrolled, Enrolment, Face, Gallery, Person } from '../gallery/types.js';
import { KaomonError } from '../platform/errors.js';
import type { AnalysedFace, Analysis, AnalyzeOptions, StageTimes } from '../vision/types.js';
import type { CountedWork, Whose } from './counted-work.js';
import type { Decision } from './decision.js';
import { checkFace, chooseFace, type EnrolLimits } from './fit-to-enrol.js';

export interface EnrollerDeps {
  /** Analyses a picture; where it turned it first, `turned` is by how many degrees. */
  vision: { analyze(bytes: Uint8Array, options?: AnalyzeOptions): Promise<Analysis & { turned?: number }> };
  gallery: Pick<Gallery, 'enrol' | 'enrolOnce' | 'updatePerson' | 'group' | 'person'>;
  /** The gallery's `nearest`, perhaps wrapped for metrics. */
  nearest: Gallery['nearest'];
  searches: Pick<CountedWork, 'admit' | 'one'>;
  enrolments: Pick<CountedWork, 'admit' | 'one'>;
  limits: EnrolLimits;
  /** A face that it would name as somebody else is refused. */
  decision: Pick<Decision, 'threshold'>;
  /** A second enrolment of a person within so many seconds is taken for a double click (maiface's E1002). */
  doubleSeconds: number;
  /** Store the aligned face beside its vector. */
  keepFaces: boolean;
}

/** Whom a face is enrolled for. */
export type EnrolPerson = Pick<Enrolment, 'groupid' | 'userid' | 'username'>;

/** A face of an analysed picture, or an embedding whose picture is elsewhere. What was not measured is not checked. */
export type FaceToEnrol = Pick<AnalysedFace, 'embedding' | 'crop'> &
  Partial<Pick<AnalysedFace, 'box' | 'quality' | 'unfit'>>;

export interface EnrolFaceOptions extends Whose {
  /** Enrol the face even if it is enrolled under another person. */
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

/** The outcome of enrolling a picture. */
export interface EnrolledPicture extends Enrolled {
  times: StageTimes;
  /** By how many degrees clockwise the picture was turned to find its face. */
  turned?: number;
}

/** See {@link createEnroller}. */
export type Enroller = ReturnType<typeof createEnroller>;

/**
 * The one place where faces are enrolled, for every way in. docs/ways-in.md says which rule applies to which: a picture's
 * quality, a picture the person has already, a face of somebody else.
 */
export function createEnroller(deps: EnrollerDeps) {
  const { vision, gallery, nearest, searches, enrolments, limits, decision, doubleSeconds, keepFaces } = deps;
  /** faceids being enrolled: of two requests at once only one may pass the check for double clicks. */
  const underWay = new Set<string>();
  /** The newest face of each person enrolled here within `doubleSeconds`, oldest first. */
  const lately = new Map<string, { face: string; at: number }>();
  /** Faces being stored, which no search finds yet. */
  const arriving = new Set<{ faceid: string; embedding: Float32Array; stored: Promise<unknown> }>();

  /** Seconds since the last enrolment: here by a monotonic clock, in another worker by the dates of the faces. */
  function sinceLast(faceid: string, person: Person | undefined): number {
    const faces = person?.faces.filter(({ automatic }) => !automatic) ?? [];
    const own = lately.get(faceid);
    if (own && faces.some(({ id }) => id === own.face)) return (performance.now() - own.at) / 1000;
    const last = faces.at(-1);
    const age = last ? (Date.now() - Date.parse(last.enrolledAt)) / 1000 : Infinity;
    return age < 0 ? Infinity : age;
  }

  function noteEnrolled(faceid: string, face: string): void {
    const now = performance.now();
    for (const [known, { at }] of lately) {
      if (now - at < doubleSeconds * 1000) break;
      lately.delete(known);
    }
    lately.delete(faceid);
    lately.set(faceid, { face, at: now });
  }

  function refuseDouble(): never {
    const wait = doubleSeconds > 0 ? `${doubleSeconds} seconds` : 'until that has been answered';
    throw new KaomonError(
      'ALREADY_REGISTERED',
      `This person was enrolled a moment ago: wait ${wait} before the next picture.`,
      { retryAfter: Math.max(1, doubleSeconds) },
    );
  }

  /** Refuses a face that would be named as somebody else, unless it is as near to the person it is for. */
  async function refuseOtherPerson(
    faceid: string,
    embedding: Float32Array,
    groups: ReadonlySet<string> | undefined,
    whose: Whose,
  ): Promise<void> {
    const near = await searches.one(() => nearest(embedding, 2, { groups }), whose);
    const other = near.find(({ person }) => person.faceid !== faceid);
    const own = near.find(({ person }) => person.faceid === faceid);
    if (!other || other.distance >= decision.threshold(groups)) return;
    // A person may resemble somebody else.
    if (own && own.distance <= other.distance) return;
    const { person, distance } = other;
    throw new KaomonError(
      'OTHER_PERSON',
      `This face is enrolled as ${person.username} (${person.faceid}): enrol it there, or say that it is meant.`,
      { details: { faceid: person.faceid, distance } },
    );
  }

  /** When one face is enrolled for two people at once, the second waits and then finds the first. */
  async function waitForSame(faceid: string, embedding: Float32Array, limit: number): Promise<void> {
    const same = [...arriving].filter(
      (other) => other.faceid !== faceid && squaredDistance(other.embedding, embedding) < limit,
    );
    await Promise.allSettled(same.map(({ stored }) => stored));
  }

  /**
   * Enrols a face. One that the person has already is not enrolled again (`already`).
   * @throws KaomonError FACE_TOO_SMALL, FACE_BLURRED, FACE_TURNED, OTHER_PERSON, BUSY, TOO_MANY_REQUESTS, CLIENT_GONE, and
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
    const store = async (): Promise<Enrolled> => {
      if (!force) {
        await waitForSame(faceid, embedding, decision.threshold(groups));
        await refuseOtherPerson(faceid, embedding, groups, whose);
      }
      const whole = { ...enrolment, crop };
      // Once it has begun it is stored even if the client hangs up.
      return await enrolments.one(async () => {
        if (isNew) return { face: await gallery.enrol(whole, embedding), already: false };
        return await gallery.enrolOnce(whole, embedding);
      }, whose);
    };
    // store() looked through `arriving` before this face is added, so that no two wait for each other.
    const stored = store();
    const mine = { faceid, embedding, stored };
    arriving.add(mine);
    try {
      return await stored;
    } finally {
      arriving.delete(mine);
    }
  }

  return {
    enrolFace,

    /**
     * Enrols the one face of a picture, after the checks that need no analysis. A picture that the person has already, by
     * its bytes or its embedding, is not enrolled again (`already`).
     * @param bytes an encoded picture; handed over (see VisionPool.analyze)
     * @throws KaomonError GROUPID_INVALID, USERID_INVALID, GROUP_UNKNOWN, ALREADY_REGISTERED, NO_FACE, SEVERAL_FACES, and
     *   what `enrolFace` and VisionPool.analyze throw
     */
    async enrol(
      person: EnrolPerson,
      bytes: Uint8Array,
      options: EnrolOptions = {},
    ): Promise<EnrolledPicture> {
      const { caller, signal, minProbability, oneOfSeveral, storing } = options;
      checkUserId(person.userid);
      checkGroupId(person.groupid);
      await refuseUnknownGroup(gallery, person.groupid);
      const faceid = faceIdOf(person.groupid, person.userid);
      if (!oneOfSeveral && underWay.has(faceid)) refuseDouble();
      if (!options.force) searches.admit(caller);
      enrolments.admit(caller);
      underWay.add(faceid);
      try {
        const picture = await hashPicture(bytes);
        const known = await gallery.person(faceid);
        if (!oneOfSeveral && sinceLast(faceid, known) < doubleSeconds) refuseDouble();
        const before = await findEnrolled(gallery, known, person.username, picture);
        if (before) {
          return { face: before, already: true, times: { queue: 0, decode: 0, detect: 0, embed: 0 } };
        }
        const wanted = { quality: true, crops: keepFaces, views: true };
        const analysis = await vision.analyze(bytes, { ...wanted, caller, signal, minProbability });
        const face = chooseFace(analysis);
        const store = (whose: EnrolPerson) =>
          enrolFace({ ...whose, picture }, face, { ...options, isAdmitted: true });
        const enrolled = await (storing ? storing(store) : store(person));
        noteEnrolled(faceid, enrolled.face.id);
        return { ...enrolled, times: analysis.times, turned: analysis.turned };
      } finally {
        underWay.delete(faceid);
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
