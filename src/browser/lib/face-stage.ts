import type { Answer, Thresholds } from '../logic/faces.js';
import { createFrameSize } from '../logic/frame-size.js';
import { createRate } from '../logic/rate.js';
import { createTracks, type ShownFace } from '../logic/tracks.js';
import type { ApiError } from './api.js';
import { type CameraChoice, type OpenCamera, rememberChoice, rememberedChoice } from './camera.js';
import { createCameraView } from './camera-view.js';
import { make } from './dom.js';
import type { FrameLink, FrameOptions } from './frame-link.js';
import { words } from './i18n.js';
import { cameraTrouble, createNotice, serverTrouble, type Trouble } from './notice.js';
import { createOverlay } from './overlay.js';
import { createServerLink, type LinkState, type ServerFacts } from './server-link.js';
import { toast } from './toast.js';

const JPEG_QUALITY = 0.82;

export interface StageEvents {
  onAnswer?: (answer: Answer) => void;
  /** There are no answers any more: what was seen last does not hold. */
  onNobody?: () => void;
  onFacts?: (facts: ServerFacts) => void;
  onCamera?: (camera: OpenCamera) => void;
  onLink?: (state: LinkState, way: FrameLink['way'] | undefined) => void;
  onRefused?: (error: ApiError) => void;
  /** A face was tapped. */
  onChosen?: (track: number) => void;
}

export interface StageFigures {
  answersPerSecond: number;
  drawsPerSecond: number;
  /** Milliseconds, of the last answer. */
  roundTrip: number | undefined;
  /** Pixels of the last frame sent. */
  frame: { width: number; height: number } | undefined;
}

/** The camera's picture with the faces that the server finds in it drawn over it. */
export type FaceStage = ReturnType<typeof createFaceStage>;

export function createFaceStage(root: HTMLElement, events: StageEvents = {}) {
  const video = make('video', { className: 'unseen', muted: true, playsInline: true, ariaHidden: 'true' });
  video.tabIndex = -1;
  const picture = make('canvas', { className: 'picture', width: 16, height: 9 });
  picture.setAttribute('role', 'img');
  picture.setAttribute('aria-label', words.stage);
  const overlayCanvas = make('canvas', { className: 'overlay', ariaHidden: 'true' });
  const notice = createNotice();
  root.append(video, picture, overlayCanvas, notice.root);

  const overlay = createOverlay(overlayCanvas);
  const still = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
  const tracks = createTracks({ still });
  const frameSize = createFrameSize();
  const answers = createRate();
  const draws = createRate();
  const options: FrameOptions = { landmarks: false, quality: false };
  let camera: OpenCamera | undefined;
  let mirrored = false;
  let thresholds: Thresholds | undefined;
  let chosen: number | undefined;
  let last: Answer | undefined;
  let trouble: Trouble | undefined;
  let encoding = false;
  let shown: ShownFace[] = [];
  let drawTurn = 0;
  let wasGone = false;

  const view = createCameraView({
    video,
    canvas: picture,
    onFrame: sendFrame,
    onTrouble(kind) {
      camera = undefined;
      tracks.clear();
      events.onNobody?.();
      tell(cameraTrouble(kind, () => void start(rememberedChoice())));
    },
  });

  const link = createServerLink({
    onAnswer(answer) {
      last = answer;
      answers.mark(performance.now());
      frameSize.answered(answer.roundTrip);
      if (!view.frozen) tracks.answer(answer.faces, performance.now());
      events.onAnswer?.(answer);
    },
    onState(state, way) {
      root.dataset.server = state;
      if (state === 'gone') wasGone = true;
      if (state === 'open' && wasGone) {
        wasGone = false;
        toast(words.serverBack, { kind: 'good' });
      }
      if (state === 'gone' || state === 'connecting') {
        tracks.answer([], performance.now());
        last = undefined;
        events.onNobody?.();
      }
      tell(trouble);
      events.onLink?.(state, way);
    },
    onFacts(facts) {
      thresholds = facts.thresholds;
      events.onFacts?.(facts);
    },
    onRefused: (error) => events.onRefused?.(error),
  });

  /** Camera trouble comes before the server's: without a picture there is nothing to send. */
  function tell(ofCamera: Trouble | undefined): void {
    trouble = ofCamera;
    notice.show(trouble ?? serverTrouble(link.state));
  }

  function sendFrame(): void {
    root.style.setProperty('--ratio', String(picture.width / picture.height));
    if (encoding || document.hidden || !link.ready()) return;
    encoding = true;
    view
      .jpeg(frameSize.width(picture.width), JPEG_QUALITY)
      .then(
        (frame) => link.send(frame),
        // The camera was closed in the middle of it.
        () => undefined,
      )
      .finally(() => (encoding = false));
  }

  function draw(mine: number): void {
    if (mine !== drawTurn) return;
    const now = performance.now();
    shown = tracks.shown(now);
    const { width, height } = picture;
    overlay.draw(shown, { width, height, mirrored, thresholds, landmarks: options.landmarks, chosen });
    draws.mark(now);
    requestAnimationFrame(() => draw(mine));
  }

  overlayCanvas.addEventListener('click', ({ offsetX, offsetY }) => {
    const track = overlay.hit(offsetX, offsetY);
    if (track !== undefined) events.onChosen?.(track);
  });

  function setMirrored(on: boolean): void {
    mirrored = on;
    picture.classList.toggle('mirrored', on);
  }

  async function start(choice: CameraChoice): Promise<void> {
    tell(undefined);
    root.dataset.camera = 'starting';
    const opened = await view.start(choice);
    if (!opened) {
      root.dataset.camera = 'none';
      return;
    }
    camera = opened;
    root.dataset.camera = 'live';
    setMirrored(opened.mirrored);
    tracks.clear();
    events.onCamera?.(opened);
  }

  return {
    picture,
    overlay: overlayCanvas,
    view,
    /** Opens the camera that was chosen last, finds the server and begins to draw. */
    open(): void {
      link.start();
      draw(++drawTurn);
      void start(rememberedChoice());
    },
    choose(choice: CameraChoice): void {
      rememberChoice(choice);
      void start(choice);
    },
    ask(next: Partial<FrameOptions>): void {
      Object.assign(options, next);
      link.setOptions({ ...options });
    },
    setMirrored,
    freeze(on: boolean): void {
      view.freeze(on);
    },
    /** A blink of the picture: it was taken. */
    flash(): void {
      if (!still) picture.animate([{ filter: 'brightness(1.8)' }, { filter: 'none' }], 250);
    },
    mark(track: number | undefined): void {
      chosen = track;
    },
    get mirrored(): boolean {
      return mirrored;
    },
    get camera(): OpenCamera | undefined {
      return camera;
    },
    get thresholds(): Thresholds | undefined {
      return thresholds;
    },
    /** The faces as they are drawn now. */
    get shown(): readonly ShownFace[] {
      return shown;
    },
    figures(): StageFigures {
      const now = performance.now();
      return {
        answersPerSecond: answers.perSecond(now),
        drawsPerSecond: draws.perSecond(now),
        roundTrip: last?.roundTrip,
        frame: last && { width: last.width, height: last.height },
      };
    },
    close(): void {
      drawTurn += 1;
      view.close();
      link.close();
    },
  };
}
