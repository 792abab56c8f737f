import { type Identity, identityOf, type Quality, type SeenFace, type Thresholds } from '../logic/faces.js';
import { ApiError } from './api.js';
import {
  type Frame,
  type FrameLink,
  type FrameOptions,
  type LinkEvents,
  MAX_IN_FLIGHT,
} from './frame-link.js';
import type { ServerFacts } from './server-link.js';

interface StreamFace extends Omit<Identity, 'probability'> {
  track: number;
  x: number;
  y: number;
  width: number;
  height: number;
  landmarks?: number[];
  quality?: Quality;
}

type Message =
  | ({ type: 'hello' } & ServerFacts)
  | { type: 'thresholds'; thresholds: Thresholds }
  | { type: 'frame'; frame: number; width: number; height: number; faces: StreamFace[] }
  | { type: 'skipped'; frame: number }
  | { type: 'error'; frame?: number; code: string; message: string; retryAfter?: number }
  | { type: 'bye'; reason: string };

/** The server says hello within this time or the stream is taken for not to be had, milliseconds. */
const HELLO_WITHIN = 8000;
/** A frame that is not answered by then: the server or the network is gone, milliseconds. */
const ANSWER_WITHIN = 15_000;
const BUSY_CODES = new Set(['BUSY', 'TOO_MANY_REQUESTS', 'NO_MODEL']);

interface UnderWay {
  at: number;
  frame: Frame;
}

/**
 * Opens the WebSocket `/api/v1/stream`.
 * @returns undefined where it is not to be had: an older server, a proxy that does not let it through
 */
export function openStreamLink(
  events: LinkEvents,
  onFacts: (facts: ServerFacts) => void,
): Promise<FrameLink | undefined> {
  return new Promise((resolve) => {
    const socket = new WebSocket(
      `${location.protocol.replace('http', 'ws')}//${location.host}/api/v1/stream`,
    );
    const underWay = new Map<number, UnderWay>();
    let sent = 0;
    let notBefore = 0;
    let said = false;
    let facts: ServerFacts | undefined;
    let closed = false;

    const link: FrameLink = {
      way: 'stream',
      ready: () =>
        said &&
        socket.readyState === WebSocket.OPEN &&
        underWay.size < MAX_IN_FLIGHT &&
        performance.now() >= notBefore,
      send(frame) {
        underWay.set(sent++, { at: performance.now(), frame });
        socket.send(frame.blob);
      },
      setOptions({ landmarks, quality }: FrameOptions) {
        if (socket.readyState !== WebSocket.OPEN) return;
        socket.send(JSON.stringify({ type: 'options', landmarks, quality }));
      },
      close: end,
    };

    const timer = window.setTimeout(() => {
      if (!said) fail();
    }, HELLO_WITHIN);
    const watch = window.setInterval(() => {
      const oldest = underWay.values().next().value;
      if (oldest && performance.now() - oldest.at > ANSWER_WITHIN) fail();
    }, 1000);

    function end(): void {
      closed = true;
      window.clearTimeout(timer);
      window.clearInterval(watch);
      socket.close();
    }

    function fail(): void {
      if (closed) return;
      end();
      if (said) events.onLost();
      else resolve(undefined);
    }

    function take(message: Message): void {
      if (message.type === 'hello') {
        said = true;
        facts = { pack: message.pack, thresholds: message.thresholds };
        onFacts(facts);
        resolve(link);
      } else if (message.type === 'thresholds') {
        if (facts) onFacts({ ...facts, thresholds: message.thresholds });
      } else if (message.type === 'frame') {
        const asked = underWay.get(message.frame);
        underWay.delete(message.frame);
        const { width, height } = message;
        const faces = message.faces.map((face) => toSeen(face, width, height));
        if (asked) events.onAnswer({ faces, roundTrip: performance.now() - asked.at, width, height });
      } else if (message.type === 'skipped') {
        underWay.delete(message.frame);
      } else if (message.type === 'error') {
        if (message.frame !== undefined) underWay.delete(message.frame);
        notBefore = performance.now() + (message.retryAfter ?? 1) * 1000;
        if (BUSY_CODES.has(message.code)) events.onBusy();
        else events.onRefused(new ApiError(400, message.code, message.message));
      }
      // After `bye` the server closes.
    }

    socket.addEventListener('message', ({ data }: MessageEvent<string>) => take(JSON.parse(data) as Message));
    socket.addEventListener('close', fail);
    socket.addEventListener('error', fail);
  });
}

function toSeen(face: StreamFace, width: number, height: number): SeenFace {
  const { track, landmarks, quality } = face;
  return {
    track,
    box: { x: face.x / width, y: face.y / height, width: face.width / width, height: face.height / height },
    identity: identityOf(face),
    ...(landmarks && { landmarks: landmarks.map((value, i) => value / (i % 2 === 0 ? width : height)) }),
    ...(quality && { quality }),
  };
}
