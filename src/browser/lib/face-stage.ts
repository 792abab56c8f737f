import { createBoxMotion, type ShownFace } from '../logic/box-motion.js';
import type { Answer, Thresholds } from '../logic/faces.js';
import { createFrameSize } from '../logic/frame-size.js';
import { createRateMeter } from '../logic/rate-meter.js';
import type { ApiError } from './api.js';
import { type CameraChoice, type OpenCamera, rememberChoice, rememberedChoice } from './camera.js';
import { createCameraView } from './camera-view.js';
import { make } from './dom.js';
import type { FrameOptions, FrameTransport, ServerInfo } from './frame-transport.js';
import { words } from './i18n.js';
import { cameraTrouble, createNotice, serverTrouble, type Trouble } from './notice.js';
import { createOverlay } from './overlay.js';
import { type ConnectionState, createServerConnection } from './server-connection.js';
import { toast } from './toast.js';

const JPEG_QUALITY = 0.82;

interface StageEvents {
  onAnswer?: (answer: Answer) => void;
  /** There are no answers any more, so the faces of the last one are out of date. */
  onNobody?: () => void;
  onServerInfo?: (info: ServerInfo) => void;
  onCamera?: (camera: OpenCamera) => void;
  onConnection?: (state: ConnectionState, kind: FrameTransport['kind'] | undefined) => void;
  onRefused?: (error: ApiError) => void;
  /** A face was tapped. */
  onChosen?: (track: number) => void;
}

interface StageFigures {
  answersPerSecond: number;
  drawsPerSecond: number;
  /** Milliseconds, of the last answer. */
  roundTrip: number | undefined;
  /** Pixels of the last frame sent. */
  frame: { width: number; height: number } | undefined;
}

/** The camera's picture, with the faces that the server finds drawn over it. */
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
  const motion = createBoxMotion({ still });
  const frameSize = createFrameSize();
  const answers = createRateMeter();
  const draws = createRateMeter();
  const options: FrameOptions = { landmarks: false, quality: false };
  let camera: OpenCamera | undefined;
  let mirrored = false;
  let thresholds: Thresholds | undefined;
  let chosen: number | undefined;
  let last: Answer | undefined;
  let ofCamera: Trouble | undefined;
  let encoding = false;
  let shown: ShownFace[] = [];
  let drawing = false;
  let wasGone = false;

  const view = createCameraView({
    video,
    canvas: picture,
    onFrame: sendFrame,
    onTrouble(kind) {
      camera = undefined;
      motion.clear();
      events.onNobody?.();
      setCameraTrouble(cameraTrouble(kind, () => void start(rememberedChoice())));
    },
  });

  const connection = createServerConnection({
    onAnswer(answer) {
      last = answer;
      answers.mark(performance.now());
      frameSize.answered(answer.roundTrip);
      if (!view.frozen) motion.answer(answer.faces, performance.now());
      events.onAnswer?.(answer);
    },
    onState(state, kind) {
      root.dataset.server = state;
      if (state === 'gone') wasGone = true;
      if (state === 'open' && wasGone) {
        wasGone = false;
        toast(words.serverBack, { kind: 'good' });
      }
      if (state === 'gone' || state === 'connecting') {
        motion.answer([], performance.now());
        last = undefined;
        events.onNobody?.();
      }
      showTrouble();
      events.onConnection?.(state, kind);
    },
    onServerInfo(info) {
      thresholds = info.thresholds;
      events.onServerInfo?.(info);
    },
    onRefused: (error) => events.onRefused?.(error),
  });

  function setCameraTrouble(trouble: Trouble | undefined): void {
    ofCamera = trouble;
    showTrouble();
  }

  /** The camera's trouble comes before the server's: without a picture there is nothing to send. */
  function showTrouble(): void {
    notice.show(ofCamera ?? serverTrouble(connection.state));
  }

  function sendFrame(): void {
    root.style.setProperty('--ratio', String(picture.width / picture.height));
    if (encoding || document.hidden || !connection.ready()) return;
    encoding = true;
    view
      .jpeg(frameSize.width(picture.width), JPEG_QUALITY)
      .then(
        (frame) => connection.send(frame),
        // The camera was closed meanwhile.
        () => undefined,
      )
      .finally(() => (encoding = false));
  }

  function draw(): void {
    if (!drawing) return;
    const now = performance.now();
    shown = motion.shown(now);
    const { width, height } = picture;
    overlay.draw(shown, { width, height, mirrored, thresholds, landmarks: options.landmarks, chosen });
    draws.mark(now);
    requestAnimationFrame(draw);
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
    setCameraTrouble(undefined);
    root.dataset.camera = 'starting';
    const opened = await view.start(choice);
    if (!opened) {
      root.dataset.camera = 'none';
      return;
    }
    camera = opened;
    root.dataset.camera = 'live';
    setMirrored(opened.mirrored);
    motion.clear();
    events.onCamera?.(opened);
  }

  return {
    picture,
    overlay: overlayCanvas,
    view,
    /** Opens the camera that was chosen last, connects to the server and starts to draw. */
    open(): void {
      connection.start();
      drawing = true;
      draw();
      void start(rememberedChoice());
    },
    choose(choice: CameraChoice): void {
      rememberChoice(choice);
      void start(choice);
    },
    setOptions(next: Partial<FrameOptions>): void {
      Object.assign(options, next);
      connection.setOptions({ ...options });
    },
    setMirrored,
    freeze(on: boolean): void {
      view.freeze(on);
    },
    /** Lets the picture flash: it was taken. */
    flash(): void {
      if (!still) picture.animate([{ filter: 'brightness(1.8)' }, { filter: 'none' }], 250);
    },
    highlight(track: number | undefined): void {
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
      drawing = false;
      view.close();
      connection.close();
    },
  };
}
