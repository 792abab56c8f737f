import type { Identity, SeenFace } from '../logic/faces.js';
import { CHECKS, firstFault, isGood, judge, type Judgement, mainFace } from '../logic/guide.js';
import type { Pose } from '../logic/poses.js';
import { createSitter } from '../logic/sitter.js';
import { createTaking } from '../logic/taking.js';
import { call } from './api.js';
import { make } from './dom.js';
import { createFaceStage } from './face-stage.js';
import { words } from './i18n.js';
import { cropFace } from './picture.js';
import { createPoseRing } from './pose-ring.js';

const JPEG_QUALITY = 0.92;
/**
 * A picture taken so shortly before a track ended, milliseconds, may show the next face already: the server notices another face
 * after half a second and two frames at most (docs/stream.md).
 */
const DOUBTFUL = 1000;
/** An advice stays for so long, milliseconds, so that it can be read, and read aloud. */
const ADVICE = 700;

/** A picture that was taken of the person. */
export interface Shot {
  blob: Blob;
  /** The face, cut out of it. */
  thumb: Blob;
  pose: Pose | undefined;
  /** Milliseconds of the page's clock. */
  at: number;
}

interface GuidedEvents {
  onShot: (shot: Shot) => void;
  /** These show another face than the one that is there: they count no more. */
  onDropped: (shots: readonly Shot[]) => void;
  /** Another face stepped in. The camera has stopped; `putBack` takes the dropped pictures for the face that is there. */
  onOther: (count: number) => void;
  /** The person in the pictures is enrolled already. */
  onKnown: (identity: Identity) => void;
  /** How far the taking is. */
  onProgress: () => void;
}

interface GuidedParts {
  stage: HTMLElement;
  advice: HTMLElement;
  guide: HTMLElement;
  onCamera: NonNullable<Parameters<typeof createFaceStage>[1]>['onCamera'];
}

/** The camera of an enrolment: says what to do, takes a picture for each pose, and sees to it that all are of one face. */
export function createGuidedCamera(
  { stage: root, advice, guide, onCamera }: GuidedParts,
  events: GuidedEvents,
) {
  const marks = new Map(CHECKS.map((check) => [check, make('li', { data: { check } }, words.checks[check])]));
  guide.append(...marks.values());
  const sitter = createSitter();
  let taking = createTaking();
  let running = false;
  let stalled = false;
  let shots: Shot[] = [];
  let dropped: Shot[] = [];
  let last: SeenFace | undefined;
  let comparing: number | undefined;
  let advised = 0;

  const stage = createFaceStage(root, {
    onAnswer({ faces, width, height }) {
      const now = performance.now();
      last = mainFace(faces, { width, height });
      ring.follow(last?.box, stage.picture, stage.mirrored);
      const turned = running && taking.turning && taking.taken.has('straight');
      const judgement = judge(faces, { width, height }, stage.picture, turned);
      showGuide(judgement);
      if (running) see(last, isGood(judgement), now);
      showAdvice(judgement, now);
    },
    onNobody() {
      last = undefined;
      sitter.forgetTracks();
      taking.rest();
      showGuide(undefined);
    },
    onCamera,
  });
  const ring = createPoseRing(root);

  function see(face: SeenFace | undefined, good: boolean, now: number): void {
    const { track, lastSeen } = sitter;
    const standing = sitter.see(face, now, taking.done);
    if (standing === 'other') dropAll();
    else if (standing === 'unsure' && face) void compare(face);
    if (!running || !face || (standing !== 'free' && standing !== 'same')) {
      taking.rest();
      return;
    }
    if (standing === 'same' && sitter.track !== track) dropSince(lastSeen - DOUBTFUL);
    if (face.identity.faceid !== '') events.onKnown(face.identity);
    const { yaw, pitch } = face.quality ?? {};
    const angles = yaw === undefined || pitch === undefined ? undefined : { yaw, pitch };
    const wasStalled = stalled;
    const step = taking.see(good, angles, now);
    stalled = step.stalled;
    if (step.take) void take(face, step.take.pose, now);
    if (step.take || stalled !== wasStalled) showProgress();
  }

  async function take(face: SeenFace, pose: Pose | undefined, at: number): Promise<void> {
    const mine = taking;
    sitter.adopt(face, at);
    stage.flash();
    const made = await Promise.all([
      stage.view.jpeg(stage.picture.width, JPEG_QUALITY),
      cropFace(stage.picture, face.box, 0.2),
      // The camera was closed meanwhile.
    ]).catch(() => undefined);
    if (mine !== taking) return;
    if (!made || sitter.track !== face.track || !running) {
      // Meanwhile somebody else may have come.
      lose(pose);
      return;
    }
    const [{ blob }, thumb] = made;
    const shot = { blob, thumb, pose, at };
    shots.push(shot);
    events.onShot(shot);
  }

  /** A picture does not count, or no more. Without any, whoever is there next is the person. */
  function lose(pose: Pose | undefined): void {
    taking.lost(pose);
    if (shots.length === 0) sitter.clear();
    showProgress();
  }

  /** Asks the server whether a face that has another track is that of the pictures: people sway, look away and come back. */
  async function compare(face: SeenFace): Promise<void> {
    const first = shots.at(0);
    if (!first || comparing === face.track) return;
    comparing = face.track;
    const lostAt = sitter.lastSeen;
    const body = new FormData();
    body.append('image', await cropFace(stage.picture, face.box), 'now.jpg');
    body.append('image', first.blob, 'first.jpg');
    const same = await call<{ same: boolean }>('POST', '/api/v1/verify', { body }).then(
      (answer) => answer.same,
      () => false,
    );
    if (comparing !== face.track) return;
    comparing = undefined;
    if (!running || !shots.includes(first) || last?.track !== face.track) return;
    if (!same) {
      dropAll();
      return;
    }
    sitter.adopt(face, performance.now());
    dropSince(lostAt - DOUBTFUL);
  }

  function dropSince(time: number): void {
    const doubtful = shots.filter(({ at }) => at > time);
    if (doubtful.length === 0) return;
    for (const shot of doubtful) forget(shot);
    events.onDropped(doubtful);
  }

  function dropAll(): void {
    dropped = shots;
    const count = shots.length;
    stop();
    if (count === 0) return;
    events.onDropped(dropped);
    events.onOther(count);
  }

  function forget(shot: Shot): void {
    shots = shots.filter((other) => other !== shot);
    lose(shot.pose);
  }

  /** Stops and forgets the pictures. */
  function stop(): void {
    running = stalled = false;
    shots = [];
    comparing = undefined;
    sitter.clear();
    taking = createTaking();
    showProgress();
  }

  function showProgress(): void {
    ring.fill(taking.filled, running ? taking.wanted : undefined, stage.mirrored);
    events.onProgress();
  }

  function showGuide(judgement: Judgement | undefined): void {
    for (const [check, mark] of marks) {
      const state = judgement?.[check];
      const shown = state === undefined ? 'open' : state ? 'good' : 'bad';
      if (mark.dataset.state === shown) continue;
      mark.dataset.state = shown;
      mark.ariaLabel = `${words.checks[check]}: ${words.checkStates[shown]}`;
    }
    if (!judgement) advice.textContent = '';
  }

  function showAdvice(judgement: Judgement, now: number): void {
    const text = adviceFor(judgement);
    if (advice.textContent === text || now - advised < ADVICE) return;
    advised = now;
    advice.textContent = text;
  }

  function adviceFor(judgement: Judgement): string {
    if (running && taking.done) return words.adviceEnough;
    const fault = firstFault(judgement);
    if (fault === 'straight' && running && taking.taken.has('straight')) return words.adviceTooFar;
    if (fault) return words.advice[fault];
    if (!running) return words.adviceStart;
    return taking.wanted ? words.poses[taking.wanted] : words.adviceGood;
  }

  showGuide(undefined);
  stage.setOptions({ quality: true, landmarks: false, sightings: false });

  return {
    /** Opens camera and connection. */
    open(): void {
      stage.open();
      ring.show(true);
      showProgress();
    },
    choose: (choice: string): void => stage.choose(choice),
    /** Begins with a person, or goes on with the one whose pictures are there. */
    start(): void {
      if (shots.length === 0) stop();
      dropped = [];
      running = true;
      showProgress();
    },
    stop,
    /** Waits: no picture is taken until `start`. */
    pause(): void {
      running = stalled = false;
      taking.rest();
      showProgress();
    },
    /** Takes a picture by hand. @returns whether there was a face to take */
    takeNow(): boolean {
      if (!running || !last || !stage.view.live) return false;
      const standing = sitter.see(last, performance.now());
      if (standing !== 'free' && standing !== 'same') return false;
      taking.took(undefined, performance.now());
      void take(last, undefined, performance.now());
      showProgress();
      return true;
    },
    /** The person cannot turn the head, or need not. */
    withoutTurning(): void {
      taking.withoutTurning();
      stalled = false;
      showProgress();
    },
    /** The user says that the face which is there is that of the dropped pictures. */
    putBack(): void {
      const again = dropped;
      dropped = [];
      shots = [...again, ...shots];
      for (const shot of again) {
        taking.took(shot.pose, performance.now());
        events.onShot(shot);
      }
      if (again.length > 0) sitter.adopt(last, performance.now());
      running = true;
      showProgress();
    },
    forget,
    get running(): boolean {
      return running;
    },
    get stalled(): boolean {
      return stalled;
    },
    get done(): boolean {
      return taking.done;
    },
    /** Pictures that are asked for. */
    get enough(): number {
      return taking.enough;
    },
  };
}
