import type { Answer } from '../logic/faces.js';
import type { ApiError } from './api.js';

/** One encoded frame. */
export interface Frame {
  blob: Blob;
  /** Pixels. */
  width: number;
  height: number;
}

/** What is asked of the server beside who it is. */
export interface FrameOptions {
  landmarks: boolean;
  quality: boolean;
}

export interface LinkEvents {
  onAnswer: (answer: Answer) => void;
  /** Too much is asked of the server; the link waits by itself. */
  onBusy: () => void;
  /** The server is not there (any more); the link is of no more use. */
  onLost: () => void;
  /** It will not do this. */
  onRefused: (error: ApiError) => void;
}

/** A way for frames to the server. Whoever opened it closes it. */
export interface FrameLink {
  readonly way: 'stream' | 'post';
  /** Whether a frame may be sent now: at most two are under way. */
  ready(): boolean;
  send(frame: Frame): void;
  setOptions(options: FrameOptions): void;
  close(): void;
}

/** More would wait at the server and come back too late to be of use. */
export const MAX_IN_FLIGHT = 2;
