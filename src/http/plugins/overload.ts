import { getHeapStatistics } from 'node:v8';
import { KaomonError } from '../../platform/errors.js';
import { createLoopDelay } from '../../platform/loop-delay.js';
import type { App } from '../app-type.js';

export interface OverloadLimits {
  /** Milliseconds; 0: no limit. */
  maxEventLoopDelay: number;
  /** Bytes; 0: no limit. */
  maxHeapBytes: number;
}

/** The delay is measured over this many times the largest one allowed, so that one stall is not enough. */
const SAMPLES = 2.5;
/** Milliseconds. */
const LEAST_WINDOW = 1000;
/** Seconds a caller is asked to wait while the process is overloaded. */
const RETRY_AFTER = 5;

/**
 * Answers 503 while the event loop turns too late, or the heap is too large. Our own, since @fastify/under-pressure looks
 * at the loop a hundred times a second, which cannot be changed and is half of what an idle server costs.
 */
export function registerOverload(app: App, { maxEventLoopDelay, maxHeapBytes }: OverloadLimits): void {
  if (maxEventLoopDelay === 0 && maxHeapBytes === 0) return;
  const window = Math.max(LEAST_WINDOW, maxEventLoopDelay * SAMPLES);
  let isOver = false;
  let timer: NodeJS.Timeout | undefined;

  app.addHook('onReady', (done) => {
    const delay = createLoopDelay();
    let windows = 0;
    timer = setInterval(() => {
      windows += 1;
      const late = delay();
      // The first two include the start itself, which keeps the loop busy: a new worker is not overloaded.
      const isLate = maxEventLoopDelay > 0 && windows > 2 && late > maxEventLoopDelay;
      // Not process.memoryUsage, which opens a file and throws where there are too many.
      isOver = isLate || (maxHeapBytes > 0 && getHeapStatistics().used_heap_size > maxHeapBytes);
    }, window).unref();
    done();
  });
  app.addHook('onClose', (_app, done) => {
    clearInterval(timer);
    done();
  });
  app.addHook('onRequest', (request, _reply, done) => {
    // Health and the pages' files cost next to nothing, and whoever looks after an overloaded server needs them.
    if (!isOver || request.routeOptions.config.access === 'public') done();
    else
      done(
        new KaomonError('BUSY', 'The server is overloaded: try again in a moment.', {
          retryAfter: RETRY_AFTER,
        }),
      );
  });
}
