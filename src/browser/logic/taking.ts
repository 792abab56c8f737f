import { type Angles, type Pose, POSES, poseOf } from './poses.js';

/** Pictures of somebody who does not turn the head: more of the same would add nothing. */
const WITHOUT_TURNING = 3;

interface TakingOptions {
  /** How long a pose must have been held, milliseconds: until then the head may still be moving. */
  hold?: number;
  /** Between two pictures, milliseconds: time to see what is wanted next. */
  pause?: number;
  /** Between two pictures of the same pose, milliseconds: two of the same moment are worth no more than one. */
  pauseStraight?: number;
  /** Without a new pose for so long, milliseconds, the person may be unable to turn the head. */
  stall?: number;
}

/** What to do after an answer. */
export interface Step {
  /** Take a picture now, for this pose; `pose` is undefined where no turning is asked for. */
  take: { pose: Pose | undefined } | undefined;
  /** The pose that is asked for; undefined when all are taken, or where no turning is asked for. */
  wanted: Pose | undefined;
  /** No new pose came for a while: offer to go on without turning. */
  stalled: boolean;
}

/** Decides when to take the pictures of one person: one for each pose, or a few straight ones. */
export function createTaking(options: TakingOptions = {}) {
  const { hold = 500, pause = 900, pauseStraight = 1300, stall = 6000 } = options;
  const taken = new Set<Pose>();
  let from: Angles | undefined;
  let turning = true;
  let pictures = 0;
  let last = -Infinity;
  /** When the person began to hold the pose, and which. */
  let held: { pose: Pose | undefined; since: number } | undefined;
  let waitingSince: number | undefined;

  const wanted = () => (turning ? POSES.find((pose) => !taken.has(pose)) : undefined);

  return {
    /**
     * @param good whether a picture taken now would be a good one
     * @param angles undefined where the server measures none: then no turning is asked for
     */
    see(good: boolean, angles: Angles | undefined, now: number): Step {
      const waitedSince = (waitingSince ??= now);
      if (good && angles === undefined) turning = false;
      const pose = turning && good && angles ? poseOf(angles, from) : undefined;
      const fits = turning ? pose !== undefined && !taken.has(pose) : good;
      if (!fits) held = undefined;
      else if (held?.pose !== pose || !held) held = { pose, since: now };
      const rested = now - last >= (turning ? pause : pauseStraight);
      const isTime = held !== undefined && now - held.since >= hold && rested && !this.done;
      if (isTime) {
        if (pose === 'straight') from = angles;
        this.took(pose, now);
      }
      const stalled = turning && !this.done && now - waitedSince >= stall;
      return { take: isTime ? { pose } : undefined, wanted: wanted(), stalled };
    },
    /** A picture was taken, by the guide or by hand. @param pose the one that it was taken for */
    took(pose: Pose | undefined, now: number): void {
      if (pose) taken.add(pose);
      pictures += 1;
      last = now;
      waitingSince = now;
      held = undefined;
    },
    /** A picture was taken away again. @param pose the one that it was taken for */
    lost(pose: Pose | undefined): void {
      pictures -= 1;
      if (pose) taken.delete(pose);
      // The turns are measured from the next straight picture.
      if (pose === 'straight') from = undefined;
      waitingSince = undefined;
    },
    /** Goes on with a person who does not turn the head. */
    withoutTurning(): void {
      turning = false;
      waitingSince = undefined;
    },
    /** Waits anew: somebody was away or thought about something. */
    rest(): void {
      held = undefined;
      waitingSince = undefined;
    },
    get taken(): ReadonlySet<Pose> {
      return taken;
    },
    get wanted(): Pose | undefined {
      return wanted();
    },
    /** What the ring shows: without turning, each picture fills some of it. */
    get filled(): ReadonlySet<Pose> {
      if (turning) return taken;
      return new Set(POSES.slice(0, Math.ceil((pictures / WITHOUT_TURNING) * POSES.length)));
    },
    get turning(): boolean {
      return turning;
    },
    /** How many pictures are asked for. */
    get enough(): number {
      return turning ? POSES.length : WITHOUT_TURNING;
    },
    get done(): boolean {
      return turning ? taken.size === POSES.length : pictures >= WITHOUT_TURNING;
    },
  };
}
