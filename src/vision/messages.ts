import type { PlainError } from '../platform/errors.js';
import type { WebgpuTurns } from '../platform/webgpu-turns.js';
import type { AnalyzerSettings, AskedPicture } from './analyzer.js';
import type { DetectorRuns } from './face-finder.js';
import type { RefusedProvider } from './ort.js';
import type { SharingSlot } from './work-sharing.js';
import type { Analysis } from './types.js';

/** What a vision thread is started with. */
export type ThreadSettings = AnalyzerSettings & { sharing: SharingSlot; turns: WebgpuTurns };

/** From the pool to a vision thread. */
export type ToThread = { kind: 'analyze'; pictures: AskedPicture[] } | { kind: 'close' };

/** The outcome of one picture. */
export type PictureResult = { analysis: Analysis } | { error: PlainError };

/** From a vision thread to the pool. A thread handles one message at a time, so answers need no number. */
export type FromThread =
  | { kind: 'ready'; provider: string; refusedProviders: RefusedProvider[]; detector?: DetectorRuns }
  | { kind: 'failed'; error: PlainError }
  /** In the order of the pictures. `ends`: the thread ends by itself and must be replaced. */
  | { kind: 'done'; results: PictureResult[]; ends: boolean };
