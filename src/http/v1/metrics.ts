import { Type } from 'typebox';
import type { Metrics } from '../../metrics/metrics.js';
import { requireAllGroups } from '../access.js';
import type { App } from '../app-type.js';
import { ErrorSchema, errorsOf } from '../schemas.js';

/** `GET /metrics` for Prometheus, by an admin key or `METRICS_TOKEN`. */
export function metricsRoutes(app: App, { metrics }: { metrics: Metrics }): void {
  app.get(
    '/metrics',
    {
      config: { access: 'admin', metricsToken: true },
      schema: {
        summary: 'Figures for Prometheus',
        tags: ['operation'],
        response: { 200: Type.String(), ...errorsOf(ErrorSchema, 500) },
      },
    },
    async (request, reply) => {
      // They count everybody. Whoever has the token may read just that.
      if (request.caller.via !== 'token') requireAllGroups(request, 'read the figures of all');
      const text = await metrics.text();
      return reply.type(metrics.contentType).send(text);
    },
  );
}
