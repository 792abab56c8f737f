import type { SeenFace } from './faces.js';
import { type Box, clampBox } from './geometry.js';

/** A face as it is drawn now: its box moves towards the box of the last answer, and it fades in and out. */
export interface ShownFace extends SeenFace {
  /** 0 to 1. */
  opacity: number;
}

interface BoxMotionOptions {
  /** Reduced motion: boxes jump and nothing fades. */
  still?: boolean;
}

/** Time to fade in or out, milliseconds. */
const FADE = 180;
/** A box this near to where it goes, parts of the picture, has arrived: a tenth of a pixel of most screens. */
const ARRIVED = 5e-5;
/** The remaining distance shrinks to a third in this time, milliseconds; the slower the answers, the longer it is. */
const SHORTEST = 30;
const LONGEST = 140;

interface MovingFace {
  /** As it is drawn; its box and landmarks are its own. */
  shown: ShownFace & { landmarks: number[] | undefined };
  /** Where it goes. */
  target: Box;
  landmarks: readonly number[] | undefined;
  gone: boolean;
}

/**
 * Moves the boxes smoothly from one answer to the next, however often they are drawn. Boxes stay inside the frame, whatever
 * the answers say.
 */
export function createBoxMotion({ still = false }: BoxMotionOptions = {}) {
  const moving = new Map<number, MovingFace>();
  const drawn: ShownFace[] = [];
  let drawnAt = 0;
  let answeredAt: number | undefined;
  let interval = 100;
  let moved = false;
  /** What is to be shown may be other faces, or have other names. */
  let isNew = false;

  function take(face: SeenFace): void {
    const target = clampBox(face.box);
    const known = moving.get(face.track);
    if (!known) {
      const landmarks = face.landmarks && [...face.landmarks];
      const shown = { ...face, box: { ...target }, landmarks, opacity: still ? 1 : 0 };
      moving.set(face.track, { shown, target, landmarks: face.landmarks, gone: false });
      return;
    }
    const { shown } = known;
    const isSame = shown.landmarks?.length === face.landmarks?.length;
    shown.identity = face.identity;
    shown.quality = face.quality;
    if (!isSame) shown.landmarks = face.landmarks && [...face.landmarks];
    Object.assign(known, { target, landmarks: face.landmarks, gone: false });
  }

  return {
    /** Takes the faces of an answer as the new targets. @param now milliseconds, on the same clock as for `shown` */
    answer(faces: readonly SeenFace[], now: number): void {
      if (answeredAt !== undefined) interval += (Math.min(1000, now - answeredAt) - interval) * 0.3;
      answeredAt = now;
      isNew = true;
      if (moving.size === 0) drawnAt = now;
      for (const each of moving.values()) each.gone = true;
      for (const face of faces) take(face);
    },

    /** Shows the faces of an answer at once where it found them, and no others: for a picture that stands still. */
    jump(faces: readonly SeenFace[]): void {
      isNew = true;
      moving.clear();
      for (const face of faces) take(face);
      for (const { shown } of moving.values()) shown.opacity = 1;
    },

    /** The faces to draw now, in the order in which they appeared; valid until the next call. */
    shown(now: number): readonly ShownFace[] {
      const elapsed = Math.max(0, now - drawnAt);
      drawnAt = now;
      const settling = Math.max(SHORTEST, Math.min(LONGEST, interval / 3));
      const step = still ? 1 : 1 - Math.exp(-elapsed / settling);
      const fade = still ? 1 : elapsed / FADE;
      drawn.length = 0;
      moved = isNew;
      isNew = false;
      for (const [track, { shown, target, landmarks, gone }] of moving) {
        const opacity = Math.max(0, Math.min(1, shown.opacity + (gone ? -fade : fade)));
        if (opacity !== shown.opacity) moved = true;
        shown.opacity = opacity;
        if (gone && opacity === 0) {
          moving.delete(track);
          continue;
        }
        if (moveTowards(shown.box, target, step)) moved = true;
        const points = shown.landmarks;
        if (points && landmarks) {
          for (let i = 0; i < points.length; i++) points[i] += (landmarks[i] - points[i]) * step;
        }
        drawn.push(shown);
      }
      return drawn;
    },

    /** Whether the last `shown` may differ from the one before: where nothing moves nothing need be drawn. */
    get moved(): boolean {
      return moved;
    },

    clear(): void {
      isNew = true;
      moving.clear();
      answeredAt = undefined;
    },
  };
}

/** @returns whether it was still on its way */
function moveTowards(box: Box, target: Box, step: number): boolean {
  const away =
    Math.abs(target.x - box.x) +
    Math.abs(target.y - box.y) +
    Math.abs(target.width - box.width) +
    Math.abs(target.height - box.height);
  if (away === 0) return false;
  const part = away < ARRIVED ? 1 : step;
  box.x += (target.x - box.x) * part;
  box.y += (target.y - box.y) * part;
  box.width += (target.width - box.width) * part;
  box.height += (target.height - box.height) * part;
  return true;
}
