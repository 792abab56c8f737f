import { type Identity, identityOf, type Quality, type SeenFace, type Thresholds } from '../logic/faces.js';
import { pauseAfter } from '../logic/quiet.js';
import { ApiError } from './api.js';
import {
  type Frame,
  type FrameOptions,
  type FrameTransport,
  MAX_IN_FLIGHT,
  type ServerInfo,
  type TransportEvents,
} from './frame-transport.js';

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
  | ({ type: 'hello' } & ServerInfo)
  | { type: 'thresholds'; thresholds: Thresholds }
  | { type: 'frame'; frame: number; width: number; height: number; full?: boolean; faces: StreamFace[] }
  | { type: 'skipped'; frame: number }
  | { type: 'error'; frame?: number; code: string; message: string; retryAfter?: number }
  | { type: 'bye'; reason: string };

/** Without a hello from the server within this time, milliseconds, there is no stream. */
const HELLO_WITHIN = 8000;
/** A frame without an answer for this long, milliseconds, means that the server or the network is gone. */
const ANSWER_WITHIN = 15_000;
const BUSY_CODES = new Set(['BUSY', 'TOO_MANY_REQUESTS', 'NO_MODEL']);

/**
 * Opens the WebSocket `/api/v1/stream`.
 * @returns undefined where that fails: with an older server, or behind a proxy that does not let WebSockets through
 */
export function openStreamTransport(
  events: TransportEvents,
  onServerInfo: (info: ServerInfo) => void,
): Promise<FrameTransport | undefined> {
  return new Promise((resolve) => {
    const socket = new WebSocket(
      `${location.protocol.replace('http', 'ws')}//${location.host}/api/v1/stream`,
    );
    /** The frames that have no answer yet, by their number on this connection, and when each was sent. */
    const inFlight = new Map<number, { serial: number; sentAt: number }>();
    let sent = 0;
    let notBefore = 0;
    let info: ServerInfo | undefined;
    let closed = false;

    const transport: FrameTransport = {
      kind: 'stream',
      ready: () =>
        info !== undefined &&
        socket.readyState === WebSocket.OPEN &&
        inFlight.size < MAX_IN_FLIGHT &&
        performance.now() >= notBefore,
      send(frame: Frame) {
        inFlight.set(sent++, { serial: frame.serial, sentAt: performance.now() });
        socket.send(frame.blob);
      },
      setOptions({ landmarks, quality, sightings }: FrameOptions) {
        if (socket.readyState !== WebSocket.OPEN) return;
        socket.send(JSON.stringify({ type: 'options', landmarks, quality, sightings }));
      },
      close: end,
    };

    const helloTimer = window.setTimeout(() => {
      if (!info) fail();
    }, HELLO_WITHIN);
    const answerTimer = window.setInterval(() => {
      const oldest = inFlight.values().next().value;
      if (oldest && performance.now() - oldest.sentAt > ANSWER_WITHIN) fail();
    }, 1000);

    function end(): void {
      closed = true;
      window.clearTimeout(helloTimer);
      window.clearInterval(answerTimer);
      socket.close();
    }

    function fail(): void {
      if (closed) return;
      end();
      if (info) events.onLost();
      else resolve(undefined);
    }

    function take(message: Message): void {
      if (message.type === 'hello') {
        info = { pack: message.pack, thresholds: message.thresholds };
        onServerInfo(info);
        resolve(transport);
      } else if (message.type === 'thresholds') {
        if (info) onServerInfo({ ...info, thresholds: message.thresholds });
      } else if (message.type === 'frame') {
        const asked = inFlight.get(message.frame);
        inFlight.delete(message.frame);
        notBefore = Math.max(notBefore, performance.now() + pauseAfter(message));
        const { width, height } = message;
        const faces = message.faces.map((face) => toSeenFace(face, width, height));
        if (!asked) return;
        const roundTrip = performance.now() - asked.sentAt;
        events.onAnswer({ faces, serial: asked.serial, roundTrip, width, height });
      } else if (message.type === 'skipped') {
        inFlight.delete(message.frame);
      } else if (message.type === 'error') {
        if (message.frame !== undefined) inFlight.delete(message.frame);
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

function toSeenFace(face: StreamFace, width: number, height: number): SeenFace {
  return {
    track: face.track,
    box: { x: face.x / width, y: face.y / height, width: face.width / width, height: face.height / height },
    identity: identityOf(face),
    landmarks: face.landmarks?.map((value, i) => value / (i % 2 === 0 ? width : height)),
    quality: face.quality,
  };
}
