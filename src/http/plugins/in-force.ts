import type { FastifyRequest } from 'fastify';
import type { App } from '../app-type.js';
import { cut } from '../cut.js';

/** How often long requests are checked, milliseconds: event feeds, streams, exports, uploads. */
const HEARTBEAT = 15_000;

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Ends something when the key or session that let a request in is no longer in force.
     * @param end called at most once
     * @returns to be called when it has ended by itself
     */
    endWithKey: (request: FastifyRequest, end: () => void) => () => void;
  }
}

/**
 * A key is checked when a request comes in, and some requests last for days. Each that is under way is checked again at
 * every heartbeat: when its key was revoked or its session has ended, in this process or any other, it is cut off.
 * @param every milliseconds
 */
export function registerInForce(app: App, every = HEARTBEAT): void {
  const watched = new Map<FastifyRequest, () => void>();
  let isLooking = false;

  async function lookAtAll(): Promise<void> {
    if (isLooking) return;
    isLooking = true;
    for (const [request, end] of [...watched]) {
      // A file of keys that cannot be read says nothing about this key; new requests are refused meanwhile.
      if (await app.authentication.isInForce(request).catch(() => true)) continue;
      watched.delete(request);
      request.log.info(
        { route: request.routeOptions.url },
        'Ended: its key or session is no longer in force',
      );
      end();
    }
    isLooking = false;
  }

  function endWithKey(request: FastifyRequest, end: () => void): () => void {
    watched.set(request, end);
    return () => watched.delete(request);
  }
  app.decorate('endWithKey', endWithKey);

  const timer = setInterval(() => void lookAtAll(), every).unref();
  app.addHook('onClose', (_app, done) => {
    clearInterval(timer);
    done();
  });
  app.addHook('onRequest', (request, reply, done) => {
    const { via } = request.caller;
    // A WebSocket says goodbye in its own way, and who has gone meanwhile has said it.
    if (!request.ws && !reply.raw.destroyed && (via === 'key' || via === 'session')) {
      // A dozen listeners wait for an export's end, Fastify's and Node's own among them: that is no leak.
      reply.raw.setMaxListeners(20);
      const forget = endWithKey(request, () => cut(request, reply));
      reply.raw.once('close', forget);
    }
    done();
  });
}
