import type { Answer, SeenFace } from '../logic/faces.js';
import { contextOf, make, sizeCanvas } from './dom.js';
import { MAX_IN_FLIGHT } from './frame-transport.js';

interface KeptFrame {
  serial: number;
  canvas: HTMLCanvasElement;
}

/** Those in flight, the one that is encoded, and the one whose answer is shown. */
const KEPT = MAX_IN_FLIGHT + 2;

/**
 * The last frames that were sent, in the camera's full size, and the last answer: boxes can be shown over the very picture
 * that they were found in. The canvases are used over and over; the frame of the last answer stays as it is.
 */
export function createSentFrames() {
  const kept: KeptFrame[] = [];
  let answer: Answer | undefined;
  let next = 0;
  /** Answers to earlier frames are about another camera, or about the time before the picture was frozen. */
  let validFrom = 0;

  /** The oldest frame, but not that of the last answer. */
  function pickFree(): KeptFrame {
    if (kept.length < KEPT) {
      const made = { serial: -1, canvas: make('canvas') };
      kept.push(made);
      return made;
    }
    let oldest: KeptFrame | undefined;
    for (const frame of kept) {
      if (frame.serial !== answer?.serial && (!oldest || frame.serial < oldest.serial)) oldest = frame;
    }
    return oldest ?? kept[0];
  }

  return {
    /** Copies a frame of the camera. @returns its canvas, and the serial that the answer will carry */
    keep(picture: HTMLCanvasElement): Readonly<KeptFrame> {
      const frame = pickFree();
      frame.serial = next++;
      sizeCanvas(frame.canvas, picture.width, picture.height);
      contextOf(frame.canvas).drawImage(picture, 0, 0);
      return frame;
    },
    /** Takes an answer as the last one. @returns false for one that is about what is no longer seen */
    take(next: Answer): boolean {
      if (next.serial < validFrom) return false;
      answer = next;
      return true;
    },
    /** Answers to the frames up to now are taken no more; the last one that was taken stays. */
    startAnew(): void {
      validFrom = next;
    },
    /** The last answer holds no longer, either. */
    forget(): void {
      validFrom = next;
      answer = undefined;
    },
    get answer(): Answer | undefined {
      return answer;
    },
    /** The frame that the last answer is about. */
    get frame(): HTMLCanvasElement | undefined {
      return kept.find(({ serial }) => serial === answer?.serial)?.canvas;
    },
    /** A face of the last answer, with its frame; undefined when it is there no more. */
    seen(track: number): { face: SeenFace; frame: HTMLCanvasElement } | undefined {
      const face = answer?.faces.find((found) => found.track === track);
      const frame = this.frame;
      return face && frame && { face, frame };
    },
  };
}
