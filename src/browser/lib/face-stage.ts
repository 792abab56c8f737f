import { createBoxMotion, type ShownFace } from '../logic/box-motion.js';
import type { Answer, Thresholds } from '../logic/faces.js';
import { createFrameSize } from '../logic/frame-size.js';
import { createRateMeter } from '../logic/rate-meter.js';
import { stageState, type StageState, stillHolds } from '../logic/stage-state.js';
import type { ApiError } from './api.js';
import { type CameraChoice, type OpenCamera, rememberChoice, rememberedChoice } from './camera.js';
import { createCameraView } from './camera-view.js';
import { make } from './dom.js';
import type { FrameOptions, FrameTransport, ServerInfo } from './frame-transport.js';
import { words } from './i18n.js';
import { cameraTrouble, createNotice, serverTrouble, type Trouble } from './notice.js';
import { createOverlay, drawOnto, type OverlayPicture } from './overlay.js';
import { composePicture } from './picture.js';
import { createSentFrames } from './sent-frames.js';
import { type ConnectionState, createServerConnection } from './server-connection.js';
import { toast } from './toast.js';

const JPEG_QUALITY = 0.82;

interface StageEvents {
  /** An answer about the picture that is seen; none while it is frozen. */
  onAnswer?: (answer: Answer) => void;
  /** There are no answers any more, so the faces of the last one are out of date. */
  onNobody?: () => void;
  /** What the stage can say of itself has changed. */
  onState?: (state: StageState) => void;
  onServerInfo?: (info: ServerInfo) => void;
  onCamera?: (camera: OpenCamera) => void;
  onConnection?: (state: ConnectionState, kind: FrameTransport['kind'] | undefined) => void;
  onRefused?: (error: ApiError) => void;
  /** A face was tapped. */
  onChosen?: (track: number) => void;
  /** The pointer is over a face, or over none any more. */
  onPointed?: (track: number | undefined) => void;
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
  const asked = createSentFrames();
  const answers = createRateMeter();
  const draws = createRateMeter();
  const options: FrameOptions = { landmarks: false, quality: false };
  const look: OverlayPicture = {
    ...{ width: 0, height: 0, mirrored: false, landmarks: false, wall: false },
    thresholds: undefined,
    chosen: undefined,
  };
  let camera: OpenCamera | undefined;
  let cameraState: 'starting' | 'live' | 'none' = 'starting';
  /** Whether the last answer is about the picture that is seen now, and when it came or the picture went on. */
  let answered = false;
  let answeredAt = 0;
  let state: StageState | undefined;
  let ofCamera: Trouble | undefined;
  let encoding = false;
  let shown: readonly ShownFace[] = [];
  let drawing = false;
  let wasGone = false;

  const view = createCameraView({
    video,
    canvas: picture,
    onFrame: sendFrame,
    onTrouble(kind) {
      camera = undefined;
      cameraState = 'none';
      forget();
      setCameraTrouble(cameraTrouble(kind, () => void start(rememberedChoice())));
    },
  });

  const connection = createServerConnection({
    onAnswer(answer) {
      const now = performance.now();
      answers.mark(now);
      frameSize.answered(answer.roundTrip);
      if (view.frozen || !asked.take(answer)) return;
      answered = true;
      answeredAt = now;
      motion.answer(answer.faces, now);
      refresh();
      events.onAnswer?.(answer);
    },
    onState(server, kind) {
      root.dataset.server = server;
      if (server === 'gone') wasGone = true;
      if (server === 'open' && wasGone) {
        wasGone = false;
        toast(words.serverBack, { kind: 'good' });
      }
      // A frozen picture keeps its faces: they are what was answered about it.
      if ((server === 'gone' || server === 'connecting') && !view.frozen) forget();
      refresh();
      events.onConnection?.(server, kind);
    },
    onServerInfo(info) {
      look.thresholds = info.thresholds;
      events.onServerInfo?.(info);
    },
    onRefused: (error) => events.onRefused?.(error),
  });

  /** What was answered no longer holds. */
  function forget(): void {
    asked.forget();
    answered = false;
    motion.answer([], performance.now());
    events.onNobody?.();
    refresh();
  }

  function setCameraTrouble(trouble: Trouble | undefined): void {
    ofCamera = trouble;
    refresh();
  }

  /** Tells what the stage can say of itself, and shows what keeps it from working. */
  function refresh(): void {
    const server = connection.state;
    // The camera's trouble comes before the server's: without a picture there is nothing to send.
    notice.show(ofCamera ?? (view.frozen ? undefined : serverTrouble(server)));
    const found = answered ? asked.answer?.faces.length : undefined;
    const next = stageState({ camera: cameraState, server, frozen: view.frozen, found });
    if (next === state) return;
    state = next;
    root.dataset.state = next;
    events.onState?.(next);
  }

  function sendFrame(): void {
    root.style.setProperty('--ratio', String(picture.width / picture.height));
    if (encoding || document.hidden || !connection.ready()) return;
    encoding = true;
    const { serial, canvas } = asked.keep(picture);
    view
      .jpeg(frameSize.width(canvas.width), JPEG_QUALITY, canvas)
      .then(
        (frame) => connection.send({ serial, ...frame }),
        // The camera was closed meanwhile.
        () => undefined,
      )
      .finally(() => (encoding = false));
  }

  function draw(): void {
    if (!drawing) return;
    const now = performance.now();
    const { answer } = asked;
    if (answer && !view.frozen && !stillHolds(now - answeredAt, answer.roundTrip)) forget();
    shown = motion.shown(now);
    look.width = picture.width;
    look.height = picture.height;
    if (overlay.draw(shown, look, motion.moved)) draws.mark(now);
    requestAnimationFrame(draw);
  }

  overlay.listen({
    onChosen: (track) => events.onChosen?.(track),
    onPointed: (track) => events.onPointed?.(track),
  });

  function setMirrored(on: boolean): void {
    look.mirrored = on;
    picture.classList.toggle('mirrored', on);
  }

  async function start(choice: CameraChoice): Promise<void> {
    cameraState = 'starting';
    root.dataset.camera = 'starting';
    setCameraTrouble(undefined);
    const opened = await view.start(choice);
    if (!opened) {
      root.dataset.camera = 'none';
      return;
    }
    camera = opened;
    cameraState = 'live';
    root.dataset.camera = 'live';
    setMirrored(opened.mirrored);
    forget();
    motion.clear();
    events.onCamera?.(opened);
  }

  return {
    picture,
    view,
    /** Opens the camera that was chosen last, connects to the server and starts to draw. */
    open(): void {
      connection.start();
      drawing = true;
      draw();
      refresh();
      void start(rememberedChoice());
    },
    choose(choice: CameraChoice): void {
      rememberChoice(choice);
      void start(choice);
    },
    setOptions(next: Partial<FrameOptions>): void {
      Object.assign(options, next);
      look.landmarks = options.landmarks;
      connection.setOptions({ ...options });
    },
    setMirrored,
    /** Lets the picture stand still, at the frame whose faces are shown, or go on. */
    freeze(on: boolean): void {
      if (on === view.frozen) return;
      if (on) {
        const { frame, answer } = asked;
        view.freeze(frame ?? true);
        motion.jump(frame && answer ? answer.faces : []);
      } else {
        view.freeze(false);
        // The faces stay on the screen until the first answer about the new picture.
        asked.startAnew();
        answered = false;
        answeredAt = performance.now();
        if (connection.state !== 'open') forget();
      }
      refresh();
    },
    /** The frame that the last answer is about. */
    get asked(): HTMLCanvasElement | undefined {
      return asked.frame;
    },
    /** A face of the last answer, with the frame in which it was found; undefined when it is there no more. */
    seen: (track: number) => asked.seen(track),
    /** The picture with boxes and names, as JPEG: the frame that was asked about, with what was answered. */
    save(): Promise<Blob> {
      const { frame = picture, answer } = asked;
      const faces = answer?.faces.map((face) => ({ ...face, opacity: 1 })) ?? [];
      return composePicture(frame, look.mirrored, (onto) =>
        drawOnto(onto, faces, { ...look, chosen: undefined }, overlay.shownWidth(frame)),
      );
    },
    /** Lets the picture flash: it was taken. */
    flash(): void {
      if (!still) picture.animate([{ filter: 'brightness(1.8)' }, { filter: 'none' }], 250);
    },
    highlight(track: number | undefined): void {
      look.chosen = track;
    },
    /** Writes names large enough for a wall. */
    setWall(on: boolean): void {
      look.wall = on;
    },
    get mirrored(): boolean {
      return look.mirrored;
    },
    get camera(): OpenCamera | undefined {
      return camera;
    },
    get thresholds(): Thresholds | undefined {
      return look.thresholds;
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
        roundTrip: asked.answer?.roundTrip,
        frame: asked.answer,
      };
    },
    close(): void {
      drawing = false;
      view.close();
      connection.close();
    },
  };
}
