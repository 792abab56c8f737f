import type { FastifyReply } from 'fastify';

/** Says in headers, the same on every surface, where a picture's time went and how many of its faces were left out. */
export function tellOf(
  reply: FastifyReply,
  { times, leftOut = 0 }: { times: object; leftOut?: number | undefined },
): void {
  reply.header('server-timing', serverTiming(times));
  if (leftOut > 0) reply.header('x-faces-left-out', leftOut);
}

/**
 * The `Server-Timing` header: where a request's time went, for the page's figures and a browser's network panel.
 * @param times milliseconds by stage
 */
export function serverTiming(times: object): string {
  return Object.entries(times)
    .map(([stage, ms]) => `${stage};dur=${Number(ms).toFixed(1)}`)
    .join(', ');
}
