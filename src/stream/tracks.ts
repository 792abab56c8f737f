import type { Match, Person } from '../gallery/types.js';
import { squaredDistance } from '../gallery/distance.js';
import type { AnalysedFace, Analysis, KnownFace } from '../vision/types.js';
import { renewed } from '../identity/identify.js';
import { hasMoved } from './motion.js';

/** The whole frame is searched at least so often, for faces that came in, milliseconds. */
const SEARCH_EVERY = 1000;
/** A search that finds nobody looks again for a face that fills the frame, not more often than this, milliseconds. */
const CLOSE_UP_EVERY = 1000;
/** After a movement beside the known faces it is searched sooner, but not sooner than this, milliseconds. */
const SEARCH_AFTER_MOVEMENT = 250;
/**
 * A face is embedded anew after so long or so many frames, whichever comes first: the bound within which another face
 * under the same box is noticed though it looks alike (docs/stream.md).
 */
export const RENEW = { milliseconds: 500, frames: 12 } as const;
/** Known faces that are embedded anew in one frame at most; the others follow in the next ones, oldest first. */
const RENEWALS_A_FRAME = 2;
/** A name stays for so long when the face is the same and only looks too unlike its pictures, milliseconds. */
const HOLD = 2000;
/** A face that was lost and comes back within this time is taken for the same, by its embedding, milliseconds. */
const COMES_BACK = 2000;

/** A face on its way through the frames. */
export interface Track {
  /** Names it in the answers. */
  id: number;
  face: AnalysedFace;
  /** From when it was embedded last. */
  thumbnail: Float32Array | undefined;
  embedding: Float32Array | undefined;
  embeddedAt: number;
  /** Frames since it was embedded. */
  frames: number;
  /** Who it is: the best match of the last while; undefined while it is unknown. */
  match: Match | undefined;
  /** The nearest person at the last embedding, near enough or not. */
  nearest: Match | undefined;
  matchedAt: number;
  /** Why the last embedding told of nobody, and how the face was then. */
  unfit: Pick<AnalysedFace, 'unfit' | 'quality'> | undefined;
  /** The last embedding spoke against `match`: the next frame decides. */
  isDoubted: boolean;
  lostAt: number;
}

/** What the next frame is to be looked at for. */
export interface Plan {
  search: boolean;
  closeUps: boolean;
  tracks: Track[];
  faces: KnownFace[];
}

/** What holds for a frame. */
export interface Moment {
  /** Milliseconds of the clock. */
  now: number;
  /** Squared L2: a face is named below this distance. It moves as people come and go. */
  identical: number;
}

/**
 * The faces of one connection from frame to frame. Times are milliseconds of any clock that only runs forward.
 * @param pair squared L2 distance below which two embeddings are of one person, whoever is enrolled
 */
export class Tracks {
  #tracks: Track[] = [];
  #lost: Track[] = [];
  #next = 0;
  #searchedAt = -Infinity;
  #closeUpAt = -Infinity;
  #mustSearch = true;
  #sceneAtSearch: Uint8Array | undefined;
  #scene: Uint8Array | undefined;

  constructor(readonly pair: number) {}

  /** Embeds every face anew and searches the next frame: what it is compared with has changed. */
  doubtAll(): void {
    this.#mustSearch = true;
    for (const track of this.#tracks) {
      track.embeddedAt = -Infinity;
      track.match = track.nearest = undefined;
      track.embedding = undefined;
    }
    this.#lost = [];
  }

  /**
   * Takes over what became of people since they were matched: moved and merged, they are the same people.
   * @param current who a person is now; undefined: nobody any more
   */
  refresh(current: (person: Person) => Person | undefined): void {
    for (const track of [...this.#tracks, ...this.#lost]) {
      track.match = renewed(track.match, current);
      track.nearest = renewed(track.nearest, current);
    }
  }

  /** @param follow false: every frame is searched and every face embedded */
  plan(now: number, follow = true): Plan {
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
    return { search, closeUps, tracks, faces };
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

  #size = { width: 1, height: 1 };

  /**
   * Takes a frame's faces in.
   * @param matches of each face with an embedding the nearest person
   * @returns the faces' tracks, in the same order
   */
  update(
    plan: Plan,
    { faces, width, height, scene }: Pick<Analysis, 'faces' | 'width' | 'height' | 'scene'>,
    matches: readonly (Match | undefined)[],
    moment: Moment,
  ): Track[] {
    const { now, identical } = moment;
    this.#size = { width, height };
    this.#scene = scene;
    this.#mustSearch = false;
    if (plan.closeUps) this.#closeUpAt = now;
    if (plan.search) {
      this.#searchedAt = now;
      this.#sceneAtSearch = scene;
    }
    this.#lost = this.#lost.filter(({ lostAt }) => now - lostAt < COMES_BACK);
    const tracks = faces.map((face, i) => {
      const known = face.known === undefined ? undefined : plan.tracks.at(face.known);
      const track = known ?? this.#comeBack(face) ?? this.#begin(face);
      track.face = face;
      track.frames += 1;
      // People came since: what was near enough for a name is so no longer.
      if (track.match && track.match.distance >= identical) track.match = undefined;
      track.unfit = this.#unfitOf(track, face);
      if (face.embedding && face.unfit) this.#pass(track, moment);
      else if (face.embedding) this.#identify(track, face.embedding, matches[i], moment);
      return track;
    });
    for (const track of plan.tracks) {
      if (tracks.includes(track)) continue;
      track.lostAt = now;
      this.#lost.push(track);
      // Gone, or turned too fast to follow: the next frame tells.
      this.#mustSearch = true;
      this.#closeUpAt = -Infinity;
    }
    this.#tracks = tracks;
    return tracks;
  }

  #begin(face: AnalysedFace): Track {
    return {
      ...{
        id: this.#next++,
        face,
        thumbnail: undefined,
        embedding: undefined,
        embeddedAt: -Infinity,
        frames: 0,
      },
      ...{ match: undefined, nearest: undefined, matchedAt: -Infinity, isDoubted: false, lostAt: -Infinity },
      unfit: undefined,
    };
  }

  #comeBack({ embedding, unfit }: AnalysedFace): Track | undefined {
    const track = unfit ? undefined : embedding && this.#lost.find((lost) => !this.#isFar(lost, embedding));
    if (track) this.#lost = this.#lost.filter((lost) => lost !== track);
    return track;
  }

  #isFar({ embedding: before }: Track, embedding: Float32Array): boolean {
    return before !== undefined && squaredDistance(before, embedding) >= this.pair;
  }

  /** A face that was not embedded is what it was. */
  #unfitOf(track: Track, { embedding, unfit, quality }: AnalysedFace): Track['unfit'] {
    if (!embedding) return track.unfit;
    return unfit && { unfit, ...(quality && { quality }) };
  }

  /** A face by which nobody is told apart says nothing for or against its name, which is kept for a while. */
  #pass(track: Track, { now }: Moment): void {
    track.frames = 0;
    track.embeddedAt = now;
    track.thumbnail = track.face.thumbnail;
    track.nearest = undefined;
    if (now - track.matchedAt >= HOLD) track.match = undefined;
  }

  /** Weighs a new embedding against who the face was taken for. */
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
      // The best of the last while stands for it, so that the label does not flicker.
      const isBetter =
        match && track.match && (match.distance <= track.match.distance || now - track.matchedAt >= HOLD);
      this.#settle(track, embedding, nearest, isBetter ? match : track.match, now);
    } else if (match && isFar) {
      // Another face, and one that is known: there is nothing to wait for.
      this.#another(track, embedding, nearest, match, now);
    } else if (!isFar && !match && now - track.matchedAt < HOLD) {
      // The same face, turned or blurred so that it is too unlike its pictures for the moment.
      track.embedding = embedding;
      track.isDoubted = false;
    } else if (!isFar && !match) {
      this.#settle(track, embedding, nearest, undefined, now);
    } else if (track.isDoubted) {
      this.#another(track, embedding, nearest, match, now);
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

  /** Another face is where this one was: it gets a number of its own. */
  #another(
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
