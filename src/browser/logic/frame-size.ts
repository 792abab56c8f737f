/** Widths of the frames that are sent, pixels. */
export const WIDTHS = [320, 480, 640, 800, 960, 1280] as const;

/** A round trip above this is answered by smaller frames, milliseconds. */
const SLOW = 500;
/** Below this one larger frames are tried. */
const FAST = 180;
/** Answers between two changes of the size: the next ones were under way before the change. */
const PATIENCE = 6;

/** Fits the size of the frames to what the network and the server manage. */
export type FrameSize = ReturnType<typeof createFrameSize>;

export function createFrameSize(start: (typeof WIDTHS)[number] = 640) {
  let at: number = WIDTHS.indexOf(start);
  let smoothed: number | undefined;
  let answers = 0;
  /** A size that was too slow is not tried again for a while, which doubles each time. */
  let ceiling: number = WIDTHS.length - 1;
  let wait = 60;
  let untilRetry = 0;

  return {
    /** Pixels; never more than the camera gives. */
    width: (cameraWidth: number): number => Math.min(WIDTHS[at], cameraWidth),

    /** @param roundTrip of one frame, milliseconds */
    answered(roundTrip: number): void {
      smoothed = smoothed === undefined ? roundTrip : smoothed + (roundTrip - smoothed) * 0.3;
      answers += 1;
      if (untilRetry > 0 && --untilRetry === 0) ceiling = WIDTHS.length - 1;
      if (answers < PATIENCE) return;
      if (smoothed > SLOW && at > 0) {
        ceiling = Math.max(0, at - 1);
        untilRetry = wait;
        wait = Math.min(960, wait * 2);
        change(-1);
      } else if (smoothed < FAST && at < ceiling) {
        change(1);
      }
    },
  };

  function change(by: number): void {
    at += by;
    answers = 0;
    smoothed = undefined;
  }
}
