import { contextOf, sizeCanvas, toJpeg } from './dom.js';
import { type CameraChoice, CameraError, type CameraTrouble, openCamera, type OpenCamera } from './camera.js';

interface CameraViewDeps {
  /** Plays the camera's stream, hidden. */
  video: HTMLVideoElement;
  /** Shows its frames. */
  canvas: HTMLCanvasElement;
  /** A new frame is on the canvas. */
  onFrame: () => void;
  onTrouble: (trouble: CameraTrouble) => void;
}

/** The camera on a canvas, frame by frame. Whoever made it closes it. */
export function createCameraView({ video, canvas, onFrame, onTrouble }: CameraViewDeps) {
  const context = contextOf(canvas);
  const scaled = document.createElement('canvas');
  let open: OpenCamera | undefined;
  let frozen = false;
  /** Grows with each camera that is opened or closed, so that callbacks of an earlier one do nothing. */
  let generation = 0;

  function draw(mine: number): void {
    if (mine !== generation) return;
    if (!frozen && video.videoWidth > 0) {
      sizeCanvas(canvas, video.videoWidth, video.videoHeight);
      context.drawImage(video, 0, 0);
      onFrame();
    }
    awaitFrame(mine);
  }

  /** Waits for the camera's next frame, or for the display's in browsers that do not tell. */
  function awaitFrame(mine: number): void {
    const next = () => draw(mine);
    if ('requestVideoFrameCallback' in video) video.requestVideoFrameCallback(next);
    else requestAnimationFrame(next);
  }

  function close(): void {
    generation += 1;
    for (const track of open?.stream.getTracks() ?? []) track.stop();
    open = undefined;
    video.srcObject = null;
  }

  return {
    /** Opens a camera in place of the one that is open. Trouble goes to `onTrouble` and is not thrown. */
    async start(choice: CameraChoice): Promise<OpenCamera | undefined> {
      close();
      const mine = ++generation;
      try {
        const opened = await openCamera(choice);
        if (mine !== generation) {
          for (const track of opened.stream.getTracks()) track.stop();
          return undefined;
        }
        open = opened;
        opened.stream
          .getVideoTracks()
          .at(0)
          ?.addEventListener('ended', () => {
            if (mine === generation) onTrouble('ended');
          });
        video.srcObject = opened.stream;
        await video.play();
        frozen = false;
        draw(mine);
        return opened;
      } catch (error) {
        if (mine === generation) onTrouble(error instanceof CameraError ? error.trouble : 'busy');
        return undefined;
      }
    },
    /**
     * A frame as JPEG.
     * @param width pixels; the height follows
     * @param source the frame on the canvas, unless another is given
     */
    async jpeg(
      width: number,
      quality: number,
      source = canvas,
    ): Promise<{ blob: Blob; width: number; height: number }> {
      const height = Math.max(1, Math.round((source.height / source.width) * width));
      if (width === source.width) return { blob: await toJpeg(source, quality), width, height };
      sizeCanvas(scaled, width, height);
      contextOf(scaled).drawImage(source, 0, 0, width, height);
      return { blob: await toJpeg(scaled, quality), width, height };
    },
    /** Lets the picture stand still, or go on. @param on also: the frame to show meanwhile, if not the present one */
    freeze(on: boolean | HTMLCanvasElement): void {
      frozen = on !== false;
      if (typeof on === 'boolean') return;
      sizeCanvas(canvas, on.width, on.height);
      context.drawImage(on, 0, 0);
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
