import { type Box, overlap } from './geometry.js';
import type { SeenFace } from './faces.js';

/** A face as it is drawn now: its box has moved towards the last answer's, its opacity comes and goes. */
export interface ShownFace extends SeenFace {
  /** 0 to 1. */
  opacity: number;
}

export interface TracksOptions {
  /** Reduced motion: boxes jump, nothing fades. */
  still?: boolean;
}

/** Time to come and go, milliseconds. */
const FADE = 180;
/** The way left shrinks to a third in this time, milliseconds: slower answers are followed more gently. */
const QUICKEST = 30;
const GENTLEST = 140;
/** Boxes of one face in two answers overlap at least so much. */
const SAME_FACE = 0.25;

interface Track {
  face: SeenFace;
  box: Box;
  landmarks: number[] | undefined;
  opacity: number;
  gone: boolean;
}

/** Moves the boxes between answers, at whatever rate they are drawn. */
export type Tracks = ReturnType<typeof createTracks>;

export function createTracks({ still = false }: TracksOptions = {}) {
  const tracks = new Map<number, Track>();
  let drawnAt = 0;
  let answeredAt: number | undefined;
  let interval = 100;

  return {
    /** Takes the faces of an answer as the new aims. @param now milliseconds, of the clock that `shown` is given */
    answer(faces: readonly SeenFace[], now: number): void {
      if (answeredAt !== undefined) interval += (Math.min(1000, now - answeredAt) - interval) * 0.3;
      answeredAt = now;
      if (tracks.size === 0) drawnAt = now;
      for (const track of tracks.values()) track.gone = true;
      for (const face of faces) {
        const known = tracks.get(face.track);
        const landmarks = face.landmarks && [...face.landmarks];
        if (known) {
          known.face = face;
          known.gone = false;
          known.landmarks = known.landmarks && landmarks ? known.landmarks : landmarks;
        } else {
          const opacity = still ? 1 : 0;
          tracks.set(face.track, { face, box: { ...face.box }, landmarks, opacity, gone: false });
        }
      }
    },

    /** The faces to draw at a moment, in the order in which they came. */
    shown(now: number): ShownFace[] {
      const passed = Math.max(0, now - drawnAt);
      drawnAt = now;
      const gentleness = Math.max(QUICKEST, Math.min(GENTLEST, interval / 3));
      const step = still ? 1 : 1 - Math.exp(-passed / gentleness);
      const fade = still ? 1 : passed / FADE;
      const shown: ShownFace[] = [];
      for (const [number, track] of tracks) {
        track.opacity = Math.max(0, Math.min(1, track.opacity + (track.gone ? -fade : fade)));
        if (track.gone && track.opacity === 0) {
          tracks.delete(number);
          continue;
        }
        moveTowards(track.box, track.face.box, step);
        const aim = track.face.landmarks;
        if (track.landmarks && aim) {
          track.landmarks = track.landmarks.map((value, i) => value + ((aim[i] ?? value) - value) * step);
        }
        shown.push({
          ...track.face,
          box: { ...track.box },
          opacity: track.opacity,
          ...(track.landmarks && { landmarks: track.landmarks }),
        });
      }
      return shown;
    },

    clear(): void {
      tracks.clear();
      answeredAt = undefined;
    },
  };
}

function moveTowards(box: Box, aim: Box, step: number): void {
  box.x += (aim.x - box.x) * step;
  box.y += (aim.y - box.y) * step;
  box.width += (aim.width - box.width) * step;
  box.height += (aim.height - box.height) * step;
}

/**
 * Gives the faces of answers that carry no track numbers some: the number of the face of the answer before that
 * overlaps most, else a new one.
 */
export function createNumbering() {
  let last: { track: number; box: Box }[] = [];
  let next = 1;
  return (boxes: readonly Box[]): number[] => {
    const pairs = boxes
      .flatMap((box, i) => last.map(({ track, box: before }) => ({ i, track, part: overlap(box, before) })))
      .filter(({ part }) => part >= SAME_FACE)
      .sort((a, b) => b.part - a.part);
    const numbers = new Map<number, number>();
    const taken = new Set<number>();
    for (const { i, track } of pairs) {
      if (numbers.has(i) || taken.has(track)) continue;
      numbers.set(i, track);
      taken.add(track);
    }
    last = boxes.map((box, i) => ({ track: numbers.get(i) ?? next++, box }));
    return last.map(({ track }) => track);
  };
}
