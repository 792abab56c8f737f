import { type Identity, identityOf, type SeenFace } from '../logic/faces.js';
import { createIouTracker } from '../logic/iou-tracker.js';
import { ApiError, call } from './api.js';
import { type Frame, type FrameTransport, MAX_IN_FLIGHT, type TransportEvents } from './frame-transport.js';

/** A face as `POST /api/face_recognizer` answers it. */
interface FoundFace extends Identity {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** How long to wait after a refusal, milliseconds, unless the server says how long. */
const BUSY_WAIT = 1000;

/** Posts each frame in a request of its own: works wherever HTTP does. */
export function createPostTransport(events: TransportEvents): FrameTransport {
  const trackBoxes = createIouTracker();
  const abort = new AbortController();
  let inFlight = 0;
  let sent = 0;
  let newest = 0;
  let notBefore = 0;

  async function post(frame: Frame, index: number): Promise<void> {
    const started = performance.now();
    const body = new FormData();
    body.append('image', frame.blob, 'frame.jpg');
    body.append('deviceid', 'page');
    try {
      const found = await call<FoundFace[]>('POST', '/api/face_recognizer', { body, signal: abort.signal });
      // Two frames are in flight: a late answer to the older one would move the boxes back.
      if (index < newest || abort.signal.aborted) return;
      newest = index;
      const faces = toFaces(found, frame);
      const { serial, width, height } = frame;
      events.onAnswer({ faces, serial, roundTrip: performance.now() - started, width, height });
    } catch (error) {
      if (abort.signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      handleRefusal(error);
    } finally {
      inFlight -= 1;
    }
  }

  function handleRefusal(error: ApiError): void {
    if (error.status === 0) {
      events.onLost();
    } else if (error.status === 503 || error.status === 429) {
      notBefore = performance.now() + (error.retryAfter ?? BUSY_WAIT / 1000) * 1000;
      events.onBusy();
    } else {
      notBefore = performance.now() + BUSY_WAIT;
      events.onRefused(error);
    }
  }

  function toFaces(found: readonly FoundFace[], frame: Frame): SeenFace[] {
    const boxes = found.map(({ x, y, width, height }) => ({
      x: x / frame.width,
      y: y / frame.height,
      width: width / frame.width,
      height: height / frame.height,
    }));
    const tracks = trackBoxes(boxes);
    return found.map((face, i) => ({ track: tracks[i], box: boxes[i], identity: identityOf(face) }));
  }

  return {
    kind: 'post',
    ready: () => inFlight < MAX_IN_FLIGHT && performance.now() >= notBefore && !abort.signal.aborted,
    send(frame) {
      inFlight += 1;
      void post(frame, ++sent);
    },
    // The route answers who it is and nothing more.
    setOptions: () => undefined,
    close: () => abort.abort(),
  };
}
