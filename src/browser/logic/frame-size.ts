/** Widths of the frames that are sent, pixels. */
export const WIDTHS = [320, 480, 640, 800, 960, 1280] as const;

/** Frames get smaller when a round trip takes longer than this, milliseconds. */
const SLOW = 500;
/** Frames get larger when a round trip takes less than this, milliseconds. */
const FAST = 180;
/** Answers between two changes of the size: the first ones are to frames sent before the change. */
const PATIENCE = 6;

/** Fits the size of the frames to what the network and the server can handle. */
export function createFrameSize(start: (typeof WIDTHS)[number] = 640) {
  let index: number = WIDTHS.indexOf(start);
  let smoothed: number | undefined;
  let answers = 0;
  /** The largest size to try. A size that was too slow is tried again after `wait` answers, which doubles each time. */
  let ceiling: number = WIDTHS.length - 1;
  let wait = 60;
  let untilRetry = 0;

  return {
    /** Pixels; never more than the camera's own. */
    width: (cameraWidth: number): number => Math.min(WIDTHS[index], cameraWidth),

    /** @param roundTrip of one frame, milliseconds */
    answered(roundTrip: number): void {
      smoothed = smoothed === undefined ? roundTrip : smoothed + (roundTrip - smoothed) * 0.3;
      answers += 1;
      if (untilRetry > 0 && --untilRetry === 0) ceiling = WIDTHS.length - 1;
      if (answers < PATIENCE) return;
      if (smoothed > SLOW && index > 0) {
        ceiling = Math.max(0, index - 1);
        untilRetry = wait;
        wait = Math.min(960, wait * 2);
        change(-1);
      } else if (smoothed < FAST && index < ceiling) {
        change(1);
      }
    },
  };

  function change(by: number): void {
    index += by;
    answers = 0;
    smoothed = undefined;
  }
}
