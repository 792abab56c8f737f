import type { Answer, Thresholds } from '../logic/faces.js';
import type { ApiError } from './api.js';

/** One encoded frame. */
export interface Frame {
  /** Comes back with the answer, and grows from frame to frame. */
  serial: number;
  blob: Blob;
  /** Pixels. */
  width: number;
  height: number;
}

/** What the server is asked for besides who it is. */
export interface FrameOptions {
  landmarks: boolean;
  quality: boolean;
  /** Who comes by is kept, where the server keeps it: not by a page that enrols. Default: yes. */
  sightings?: boolean;
}

/** What the server tells about itself before the first answer, and again when its thresholds change. */
export interface ServerInfo {
  pack: { id: string; title: string };
  thresholds: Thresholds;
}

export interface TransportEvents {
  onAnswer: (answer: Answer) => void;
  /** The server has too much to do; the transport waits before it is ready again. */
  onBusy: () => void;
  /** The server is gone; the transport is of no more use. */
  onLost: () => void;
  /** The server refuses the request. */
  onRefused: (error: ApiError) => void;
}

/** Carries frames to the server and its answers back. Whoever opened it closes it. */
export interface FrameTransport {
  readonly kind: 'stream' | 'post';
  /** Whether a frame may be sent now: at most `MAX_IN_FLIGHT` are. */
  ready(): boolean;
  send(frame: Frame): void;
  setOptions(options: FrameOptions): void;
  close(): void;
}

/** More would queue at the server, and their answers would come too late to be of use. */
export const MAX_IN_FLIGHT = 2;
