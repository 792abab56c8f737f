import type { PlainError } from '../errors.js';
import type { AnalyzerSettings } from './analyzer.js';
import type { RefusedProvider } from './ort.js';
import type { Seat } from './team.js';
import type { Analysis, AnalyzeOptions } from './types.js';

/** What a vision thread is started with. */
export type ThreadSettings = AnalyzerSettings & { seat: Seat };

/** From the pool to a vision thread. */
export type ToThread = { kind: 'analyze'; bytes: Uint8Array; options: AnalyzeOptions } | { kind: 'close' };

/** From a vision thread to the pool. It has one task at a time, so answers need no number. */
export type FromThread =
  | { kind: 'ready'; provider: string; refusedProviders: RefusedProvider[] }
  | { kind: 'failed'; error: PlainError }
  | { kind: 'done'; analysis: Analysis }
  | { kind: 'error'; error: PlainError };
