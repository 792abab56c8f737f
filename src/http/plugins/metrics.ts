import type { Metrics } from '../../metrics/metrics.js';
import type { App } from '../app-type.js';

/** Counts every answer by its route. */
export function registerMetrics(app: App, metrics: Metrics): void {
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.is404 ? 'none' : (request.routeOptions.url ?? 'none');
    metrics.answered(request.method, route, reply.statusCode, reply.elapsedTime);
    done();
  });
  // Fastify calls it after the last answer.
  app.addHook('onClose', () => metrics.close());
}
