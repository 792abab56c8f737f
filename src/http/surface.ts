import type { FastifyRequest } from 'fastify';
import type { KaomonError } from '../platform/errors.js';

/**
 * How a surface words an error.
 * @param message what the caller may read of it
 */
export type ErrorFormat = (
  error: KaomonError,
  message: string,
  request: FastifyRequest,
) => { statusCode: number; body: object };

/** What the addresses of one API have in common. */
export interface Surface {
  errorFormat: ErrorFormat;
  /** The addresses hold names of people: logs tell the route instead. */
  namesInPath?: boolean;
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Of the routes registered here; see `answerErrors`. */
    surface: Surface;
  }
}

/** The surface that a request belongs to, by its address alone where no route took it. */
export function surfaceOf({ is404, server, url }: Pick<FastifyRequest, 'is404' | 'server' | 'url'>): Surface {
  return is404 ? server.knownAddresses.surfaceOf(url) : server.surface;
}
