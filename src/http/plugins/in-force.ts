import { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../app-type.js';

/** How often whatever lasts is looked at, milliseconds: event feeds, streams, exports, uploads. */
export const HEARTBEAT = 15_000;

export interface InForceOptions {
  /** Whether the key or the session that let a request in still would. May throw: then nobody knows. */
  isInForce: (request: FastifyRequest) => Promise<boolean>;
  /** Milliseconds, for tests. */
  every?: number;
}

/** Ends what lasts; see {@link registerInForce}. */
export type InForce = ReturnType<typeof registerInForce>;

/**
 * A key is asked for when a request comes in, and some requests last for days. Each that is under way at a heartbeat is
 * asked about again: one whose key was revoked, or whose session has ended, in this process or in any other, is ended.
 */
export function registerInForce(app: App, { isInForce, every = HEARTBEAT }: InForceOptions) {
  const watched = new Map<FastifyRequest, () => void>();
  let isLooking = false;

  async function lookAtAll(): Promise<void> {
    if (isLooking) return;
    isLooking = true;
    for (const [request, end] of [...watched]) {
      // A file of keys that cannot be read says nothing of any key; whoever comes anew is refused meanwhile.
      if (await isInForce(request).catch(() => true)) continue;
      watched.delete(request);
      request.log.info(
        { route: request.routeOptions.url },
        'Ended: its key or session is not in force any more',
      );
      end();
    }
    isLooking = false;
  }

  function watch(request: FastifyRequest, end: () => void): () => void {
    watched.set(request, end);
    return () => watched.delete(request);
  }

  const timer = setInterval(() => void lookAtAll(), every).unref();
  app.addHook('onClose', (_app, done) => {
    clearInterval(timer);
    done();
  });
  app.addHook('onRequest', (request, reply, done) => {
    const { via } = request.caller;
    // A WebSocket says goodbye in its own way.
    if (!request.ws && (via === 'key' || via === 'session')) {
      // An export's end is waited for by a dozen, Fastify's and Node's own among them: that is no leak.
      reply.raw.setMaxListeners(20);
      reply.raw.once(
        'close',
        watch(request, () => cut(request, reply)),
      );
    }
    done();
  });

  return {
    /**
     * Has something ended when the request's key or session is.
     * @param end called once at most
     * @returns what to call when it has ended by itself
     */
    watch,
  };
}

function cut({ raw }: FastifyRequest, reply: FastifyReply): void {
  // Calls that a test injects have no connection.
  if (raw.socket instanceof Socket) raw.socket.destroy();
  else reply.raw.destroy();
}
