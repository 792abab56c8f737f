import type { Gallery, Match, Person } from '../gallery/types.js';
import { squaredDistance } from '../gallery/distance.js';
import type { AnalysedFace, Analysis, EmptyScene, KnownFace } from '../vision/types.js';
import { renewed } from '../identity/identify.js';
import { hasMoved } from './motion.js';
import type { Moment, Plan, Track } from './track.js';

/** The whole frame is searched for new faces at least so often, milliseconds. */
const SEARCH_EVERY = 1000;
/** A search that finds nobody tries again for a face that fills the frame, at most so often, milliseconds. */
const CLOSE_UP_EVERY = 1000;
/** After a movement away from the known faces the next search comes after so long, milliseconds. */
const SEARCH_AFTER_MOVEMENT = 250;
/**
 * A face is embedded again after so long or so many frames, whichever comes first: until then a similar face that takes its
 * place may go unnoticed (docs/stream.md).
 */
export const RENEW = { milliseconds: 500, frames: 12 } as const;
/** The most known faces that are embedded again in one frame; the others wait for the next frames, oldest first. */
const RENEWALS_A_FRAME = 2;
/** A name is held so long while the same face is too unlike its pictures, milliseconds. */
const HOLD = 2000;
/** A lost face that returns within this time keeps its track, judged by its embedding, milliseconds. */
const COMES_BACK = 2000;

type Frame = Pick<Analysis, 'faces' | 'width' | 'height' | 'scene' | 'empty' | 'searched'>;

type RuledOut = (...asked: Parameters<Gallery['ruledOut']>) => unknown;

const isOut = (match: Match | undefined, embedding: Float32Array, ruledOut: RuledOut): boolean =>
  match !== undefined && ruledOut(match.person.faceid, embedding, match.distance) !== undefined;

/**
 * Follows the faces of one connection. Times are milliseconds of a monotonic clock.
 * @param pair squared L2 distance below which two embeddings are of one person, whoever is enrolled
 * @param ruledOut see {@link Gallery.ruledOut}
 * @param quietSearch how often a scene is searched in which nobody is and nothing moves, milliseconds; 0: in every frame
 */
export class FaceTracker {
  #tracks: Track[] = [];
  #lost: Track[] = [];
  #next = 0;
  #searchedAt = -Infinity;
  #closeUpAt = -Infinity;
  #mustSearch = true;
  #doubts = 0;
  #sceneAtSearch: Uint8Array | undefined;
  #scene: Uint8Array | undefined;
  /** The frame that was searched last, where it showed nobody. */
  #empty: EmptyScene | undefined;
  /** The smallest face that it was searched for. */
  #searchedFor = 0;
  /** Of the last frame, pixels. */
  #size = { width: 1, height: 1 };

  constructor(
    readonly pair: number,
    readonly ruledOut: RuledOut = () => undefined,
    readonly quietSearch = 0,
  ) {}

  /** Searches the next frame and embeds every face again, because other groups are compared from now on. */
  doubtAll(): void {
    this.#doubts += 1;
    this.#mustSearch = true;
    for (const track of this.#tracks) {
      track.embeddedAt = -Infinity;
      track.match = track.nearest = undefined;
      track.embedding = undefined;
    }
    this.#lost = [];
  }

  /**
   * Updates matches with people who were moved, merged, deleted, or said to be somebody else since.
   * @param current a person as they are now; undefined when deleted
   */
  refresh(current: (person: Person) => Person | undefined): void {
    for (const track of [...this.#tracks, ...this.#lost]) {
      track.match = renewed(track.match, current);
      track.nearest = renewed(track.nearest, current);
      if (track.embedding) this.#heed(track, track.embedding);
    }
  }

  /** Takes a name back that a correction rules out for this embedding: it is not held. */
  #heed(track: Track, embedding: Float32Array): void {
    if (isOut(track.match, embedding, this.ruledOut)) track.match = undefined;
    if (isOut(track.nearest, embedding, this.ruledOut)) track.nearest = undefined;
  }

  /** @param follow when false, every frame is searched and every face embedded */
  plan(now: number, follow = true, minFaceSize = 0): Plan {
    const tracks = [...this.#tracks];
    const due = tracks
      .filter(
        ({ isDoubted, embeddedAt, frames }) =>
          isDoubted || now - embeddedAt >= RENEW.milliseconds || frames + 1 >= RENEW.frames,
      )
      .sort((a, b) => Number(b.isDoubted) - Number(a.isDoubted) || a.embeddedAt - b.embeddedAt)
      .slice(0, RENEWALS_A_FRAME);
    const faces = tracks.map(({ face, thumbnail }, i): KnownFace => {
      const { box, probability, landmarks } = face;
      const embed = !follow || due.includes(tracks[i]);
      return { box, probability, landmarks, embed, thumbnail };
    });
    const search = !follow || this.#searchIsDue(now);
    const closeUps = search && (!follow || now - this.#closeUpAt >= CLOSE_UP_EVERY);
    // Where smaller faces are wanted than before, somebody may be there who was not looked for.
    const isQuiet = follow && minFaceSize >= this.#searchedFor && this.#isQuiet(now);
    const quiet = isQuiet ? this.#empty : undefined;
    return { search, quiet, closeUps, minFaceSize, doubts: this.#doubts, tracks, faces };
  }

  /** Whether nobody was there when the whole frame was searched last, which is not long ago. */
  #isQuiet(now: number): boolean {
    return !this.#mustSearch && this.#tracks.length === 0 && now - this.#searchedAt < this.quietSearch;
  }

  #searchIsDue(now: number): boolean {
    if (this.#mustSearch || this.#tracks.length === 0) return true;
    const age = now - this.#searchedAt;
    if (age >= SEARCH_EVERY) return true;
    return age >= SEARCH_AFTER_MOVEMENT && this.#movedElsewhere();
  }

  #movedElsewhere(): boolean {
    if (!this.#scene || !this.#sceneAtSearch) return false;
    return hasMoved(
      this.#sceneAtSearch,
      this.#scene,
      this.#tracks.map(({ face }) => face.box),
      this.#size,
    );
  }

  /**
   * Adds a frame's faces.
   * @param matches the nearest person of each face that was embedded
   * @returns the faces' tracks, in the same order
   */
  update(
    plan: Plan,
    { faces, width, height, scene, empty, searched = plan.search }: Frame,
    matches: readonly (Match | undefined)[],
    moment: Moment,
  ): Track[] {
    const { now, identical } = moment;
    this.#size = { width, height };
    this.#scene = scene;
    this.#mustSearch = false;
    if (plan.closeUps && searched) this.#closeUpAt = now;
    if (searched) {
      this.#searchedAt = now;
      this.#sceneAtSearch = scene;
      this.#empty = empty;
      this.#searchedFor = plan.minFaceSize;
    }
    this.#lost = this.#lost.filter(({ lostAt }) => now - lostAt < COMES_BACK);
    const tracks = faces.map((face, i) => {
      const known = face.known === undefined ? undefined : plan.tracks.at(face.known);
      const track = known ?? this.#reappeared(face) ?? this.#begin(face);
      track.face = face;
      track.frames += 1;
      // People were enrolled since, and the threshold is stricter.
      if (track.match && track.match.distance >= identical) track.match = undefined;
      track.unfit = this.#unfitOf(track, face);
      if (face.embedding && face.unfit) this.#holdName(track, moment);
      else if (face.embedding) {
        this.#heed(track, face.embedding);
        this.#identify(track, face.embedding, matches[i], moment);
      }
      return track;
    });
    for (const track of plan.tracks) {
      if (tracks.includes(track)) continue;
      track.lostAt = now;
      this.#lost.push(track);
      // It has gone or moved too fast to be followed: the next search shows which.
      this.#mustSearch = true;
      this.#closeUpAt = -Infinity;
    }
    if (plan.doubts !== this.#doubts) {
      // Other groups were asked for while this frame was compared with the earlier ones.
      this.#mustSearch = true;
      for (const track of tracks) track.embeddedAt = -Infinity;
    }
    this.#tracks = tracks;
    return tracks;
  }

  #begin(face: AnalysedFace): Track {
    return {
      id: this.#next++,
      face,
      thumbnail: undefined,
      embedding: undefined,
      embeddedAt: -Infinity,
      frames: 0,
      match: undefined,
      nearest: undefined,
      matchedAt: -Infinity,
      isDoubted: false,
      lostAt: -Infinity,
      unfit: undefined,
    };
  }

  #reappeared({ embedding, unfit }: AnalysedFace): Track | undefined {
    const track = unfit ? undefined : embedding && this.#lost.find((lost) => !this.#isFar(lost, embedding));
    if (track) this.#lost = this.#lost.filter((lost) => lost !== track);
    return track;
  }

  #isFar({ embedding: before }: Track, embedding: Float32Array): boolean {
    return before !== undefined && squaredDistance(before, embedding) >= this.pair;
  }

  /** Unchanged where the face was not embedded in this frame. */
  #unfitOf(track: Track, { embedding, unfit, quality }: AnalysedFace): Track['unfit'] {
    if (!embedding) return track.unfit;
    return unfit && { unfit, quality };
  }

  /** An unfit face says nothing for or against its name, which is held for a while. */
  #holdName(track: Track, { now }: Moment): void {
    track.frames = 0;
    track.embeddedAt = now;
    track.thumbnail = track.face.thumbnail;
    track.nearest = undefined;
    if (now - track.matchedAt >= HOLD) track.match = undefined;
  }

  /** Decides by a new embedding whether the face has the same name, another one, or none. */
  #identify(
    track: Track,
    embedding: Float32Array,
    nearest: Match | undefined,
    { now, identical }: Moment,
  ): void {
    const match = nearest && nearest.distance < identical ? nearest : undefined;
    const isFirst = track.embedding === undefined;
    const isFar = this.#isFar(track, embedding);
    const isSamePerson = match?.person.faceid === track.match?.person.faceid;
    track.frames = 0;
    track.embeddedAt = now;
    track.thumbnail = track.face.thumbnail;

    if (isFirst || (!isFar && track.match === undefined)) {
      this.#settle(track, embedding, nearest, match, now);
    } else if (isSamePerson && (match || !isFar)) {
      // The best recent match stays, so that the label does not flicker.
      const isBetter =
        match && track.match && (match.distance <= track.match.distance || now - track.matchedAt >= HOLD);
      this.#settle(track, embedding, nearest, isBetter ? match : track.match, now);
    } else if (match && isFar) {
      // Another face, which has a name: there is no doubt.
      this.#replaceFace(track, embedding, nearest, match, now);
    } else if (!isFar && !match && now - track.matchedAt < HOLD) {
      // The same face, for the moment too unlike its pictures because it is turned or blurred.
      track.embedding = embedding;
      track.isDoubted = false;
    } else if (!isFar && !match) {
      this.#settle(track, embedding, nearest, undefined, now);
    } else if (track.isDoubted) {
      this.#replaceFace(track, embedding, nearest, match, now);
    } else {
      track.isDoubted = true;
    }
  }

  #settle(
    track: Track,
    embedding: Float32Array,
    nearest: Match | undefined,
    match: Match | undefined,
    now: number,
  ): void {
    const isNew = track.match !== match;
    Object.assign(track, { embedding, nearest, match, isDoubted: false });
    if (match && (isNew || match === nearest)) track.matchedAt = now;
  }

  /** Another face has taken the place of this one, and gets a new number. */
  #replaceFace(
    track: Track,
    embedding: Float32Array,
    nearest: Match | undefined,
    match: Match | undefined,
    now: number,
  ): void {
    track.id = this.#next++;
    this.#settle(track, embedding, nearest, match, now);
  }
}
