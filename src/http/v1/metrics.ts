import { Type } from 'typebox';
import { requireAllGroups } from '../access.js';
import type { App } from '../app-type.js';
import { ErrorSchema, errorsOf } from '../schemas.js';
import type { Services } from '../services.js';

/** `GET /metrics` for Prometheus, by an admin key or `METRICS_TOKEN`. */
export function metricsRoutes(app: App, { metrics }: Services): void {
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
      // They cover all groups. The token lets its owner read nothing else.
      if (request.caller.via !== 'token') requireAllGroups(request, 'read the metrics of all groups');
      const text = await metrics.text();
      return reply.type(metrics.contentType).send(text);
    },
  );
}
