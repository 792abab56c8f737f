import { contextOf, toJpeg } from './dom.js';
import { type CameraChoice, CameraError, type CameraTrouble, openCamera, type OpenCamera } from './camera.js';

export interface CameraViewDeps {
  /** Plays the camera, unseen. */
  video: HTMLVideoElement;
  /** Shows it; gets the class `mirrored` when it is. */
  canvas: HTMLCanvasElement;
  /** A new frame is on the canvas. */
  onFrame: () => void;
  onTrouble: (trouble: CameraTrouble) => void;
}

/** The camera on a canvas, frame by frame. Whoever made it closes it. */
export type CameraView = ReturnType<typeof createCameraView>;

export function createCameraView({ video, canvas, onFrame, onTrouble }: CameraViewDeps) {
  const context = contextOf(canvas);
  const scaled = document.createElement('canvas');
  let open: OpenCamera | undefined;
  let frozen = false;
  let turn = 0;

  function draw(mine: number): void {
    if (mine !== turn) return;
    if (!frozen && video.videoWidth > 0) {
      if (canvas.width !== video.videoWidth || canvas.height !== video.videoHeight) {
        canvas.width = video.videoWidth;
        canvas.height = video.videoHeight;
      }
      context.drawImage(video, 0, 0);
      onFrame();
    }
    awaitFrame(mine);
  }

  /** The next frame of the camera; browsers that cannot tell are asked at the display's rate. */
  function awaitFrame(mine: number): void {
    const next = () => draw(mine);
    if ('requestVideoFrameCallback' in video) video.requestVideoFrameCallback(next);
    else requestAnimationFrame(next);
  }

  function close(): void {
    turn += 1;
    for (const track of open?.stream.getTracks() ?? []) track.stop();
    open = undefined;
    video.srcObject = null;
  }

  return {
    /** Opens a camera in place of the one that is open. Trouble is told, not thrown. */
    async start(choice: CameraChoice): Promise<OpenCamera | undefined> {
      close();
      const mine = ++turn;
      try {
        const opened = await openCamera(choice);
        if (mine !== turn) {
          for (const track of opened.stream.getTracks()) track.stop();
          return undefined;
        }
        open = opened;
        opened.stream
          .getVideoTracks()
          .at(0)
          ?.addEventListener('ended', () => {
            if (mine === turn) onTrouble('ended');
          });
        video.srcObject = opened.stream;
        await video.play();
        frozen = false;
        draw(mine);
        return opened;
      } catch (error) {
        if (mine === turn) onTrouble(error instanceof CameraError ? error.trouble : 'busy');
        return undefined;
      }
    },
    /** The frame on the canvas as JPEG. @param width pixels; the height follows */
    async jpeg(width: number, quality: number): Promise<{ blob: Blob; width: number; height: number }> {
      const height = Math.max(1, Math.round((canvas.height / canvas.width) * width));
      if (width === canvas.width) return { blob: await toJpeg(canvas, quality), width, height };
      scaled.width = width;
      scaled.height = height;
      contextOf(scaled).drawImage(canvas, 0, 0, width, height);
      return { blob: await toJpeg(scaled, quality), width, height };
    },
    freeze(on: boolean): void {
      frozen = on;
    },
    get frozen(): boolean {
      return frozen;
    },
    /** Whether a frame has been drawn. */
    get live(): boolean {
      return open !== undefined && video.videoWidth > 0;
    },
    close,
  };
}
