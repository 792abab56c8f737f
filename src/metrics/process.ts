import { collectDefaultMetrics, Registry } from 'prom-client';
import { LOOK_EVERY } from '../platform/loop-delay.js';

let ofProcess: Registry | undefined;

/** The process's own figures are collected once, even if it builds several apps. */
export function processRegistry(): Registry {
  if (ofProcess) return ofProcess;
  ofProcess = new Registry();
  collectDefaultMetrics({ register: ofProcess, eventLoopMonitoringPrecision: LOOK_EVERY });
  keepDelays(ofProcess);
  return ofProcess;
}

/**
 * prom-client forgets the event loop's delays each time that it tells them: asked again before the loop has been looked at,
 * by a second Prometheus or for the other workers, it would tell a smallest one of 292 years and a largest of none.
 */
function keepDelays(registry: Registry): void {
  const lag = registry.getSingleMetric('nodejs_eventloop_lag_seconds') as
    { collect?: () => void } | undefined;
  const collect = lag?.collect;
  if (!lag || !collect) return;
  let collectedAt = performance.now();
  lag.collect = () => {
    if (performance.now() - collectedAt < 3 * LOOK_EVERY) return;
    collectedAt = performance.now();
    collect.call(lag);
  };
}
