import type { CountedWork } from '../../identity/counted-work.js';
import { throwIfGone } from '../../platform/errors.js';
import type { App } from '../app-type.js';
import { callerId } from '../on-behalf.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route writes to the store without a picture: it is counted among the enrolments. Never of a deletion. */
    changes?: true;
  }
}

/** Bounds how many changes of people and groups are in flight (`config.changes`), as enrolments are bounded. */
export function registerChanges(app: App, enrolments: Pick<CountedWork, 'hold'>): void {
  app.addHook('preHandler', (request, reply, done) => {
    if (!request.routeOptions.config.changes) {
      done();
      return;
    }
    try {
      // Of an answer that is closed already nobody would tell.
      throwIfGone(request.gone);
      reply.raw.once('close', enrolments.hold(callerId(request)));
      done();
    } catch (error) {
      done(error as Error);
    }
  });
}
