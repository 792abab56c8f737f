import type { SeenFace } from './faces.js';
import type { Box } from './geometry.js';

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
/** The remaining distance shrinks to a third in this time, milliseconds; the slower the answers, the longer it is. */
const SHORTEST = 30;
const LONGEST = 140;

interface MovingFace {
  face: SeenFace;
  box: Box;
  landmarks: number[] | undefined;
  opacity: number;
  gone: boolean;
}

/** Moves the boxes smoothly from one answer to the next, however often they are drawn. */
export function createBoxMotion({ still = false }: BoxMotionOptions = {}) {
  const moving = new Map<number, MovingFace>();
  let drawnAt = 0;
  let answeredAt: number | undefined;
  let interval = 100;

  return {
    /** Takes the faces of an answer as the new targets. @param now milliseconds, on the same clock as for `shown` */
    answer(faces: readonly SeenFace[], now: number): void {
      if (answeredAt !== undefined) interval += (Math.min(1000, now - answeredAt) - interval) * 0.3;
      answeredAt = now;
      if (moving.size === 0) drawnAt = now;
      for (const each of moving.values()) each.gone = true;
      for (const face of faces) {
        const known = moving.get(face.track);
        const landmarks = face.landmarks && [...face.landmarks];
        if (known) {
          known.face = face;
          known.gone = false;
          known.landmarks = known.landmarks && landmarks ? known.landmarks : landmarks;
        } else {
          const opacity = still ? 1 : 0;
          moving.set(face.track, { face, box: { ...face.box }, landmarks, opacity, gone: false });
        }
      }
    },

    /** The faces to draw now, in the order in which they appeared. */
    shown(now: number): ShownFace[] {
      const elapsed = Math.max(0, now - drawnAt);
      drawnAt = now;
      const settling = Math.max(SHORTEST, Math.min(LONGEST, interval / 3));
      const step = still ? 1 : 1 - Math.exp(-elapsed / settling);
      const fade = still ? 1 : elapsed / FADE;
      const shown: ShownFace[] = [];
      for (const [track, each] of moving) {
        each.opacity = Math.max(0, Math.min(1, each.opacity + (each.gone ? -fade : fade)));
        if (each.gone && each.opacity === 0) {
          moving.delete(track);
          continue;
        }
        moveTowards(each.box, each.face.box, step);
        const target = each.face.landmarks;
        if (each.landmarks && target) {
          each.landmarks = each.landmarks.map((value, i) => value + ((target[i] ?? value) - value) * step);
        }
        const { face, landmarks = face.landmarks, opacity } = each;
        shown.push({ ...face, box: { ...each.box }, landmarks, opacity });
      }
      return shown;
    },

    clear(): void {
      moving.clear();
      answeredAt = undefined;
    },
  };
}

function moveTowards(box: Box, target: Box, step: number): void {
  box.x += (target.x - box.x) * step;
  box.y += (target.y - box.y) * step;
  box.width += (target.width - box.width) * step;
  box.height += (target.height - box.height) * step;
}
