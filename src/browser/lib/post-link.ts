import { type Identity, identityOf, type SeenFace } from '../logic/faces.js';
import { createNumbering } from '../logic/tracks.js';
import { ApiError, call } from './api.js';
import { type Frame, type FrameLink, type LinkEvents, MAX_IN_FLIGHT } from './frame-link.js';

/** A face as `POST /api/face_recognizer` answers it. */
interface FoundFace extends Identity {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Wait after a refusal for want of time, milliseconds, unless the server says. */
const BUSY_WAIT = 1000;

/** Frames as single requests: works wherever HTTP does. */
export function createPostLink(events: LinkEvents): FrameLink {
  const number = createNumbering();
  const abort = new AbortController();
  let inFlight = 0;
  let sent = 0;
  let newest = 0;
  let notBefore = 0;

  async function ask(frame: Frame, mine: number): Promise<void> {
    const started = performance.now();
    const body = new FormData();
    body.append('image', frame.blob, 'frame.jpg');
    body.append('deviceid', 'page');
    try {
      const found = await call<FoundFace[]>('POST', '/api/face_recognizer', { body, signal: abort.signal });
      // Two are under way: an older frame's answer that comes late would move the boxes back.
      if (mine < newest || abort.signal.aborted) return;
      newest = mine;
      const faces = toFaces(found, frame);
      const { width, height } = frame;
      events.onAnswer({ faces, roundTrip: performance.now() - started, width, height });
    } catch (error) {
      if (abort.signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      settle(error);
    } finally {
      inFlight -= 1;
    }
  }

  function settle(error: ApiError): void {
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
    const tracks = number(boxes);
    return found.map((face, i) => ({ track: tracks[i], box: boxes[i], identity: identityOf(face) }));
  }

  return {
    way: 'post',
    ready: () => inFlight < MAX_IN_FLIGHT && performance.now() >= notBefore && !abort.signal.aborted,
    send(frame) {
      inFlight += 1;
      void ask(frame, ++sent);
    },
    // This way answers who it is and nothing more.
    setOptions: () => undefined,
    close: () => abort.abort(),
  };
}
