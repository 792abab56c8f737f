import { isIP } from 'node:net';
import { normalizeIP } from '@fastify/rate-limit';
import type { FastifyRequest } from 'fastify';

/** For whom a picture is analysed: what the vision threads need to know to be fair, and to stop. */
export interface OnBehalf {
  /** Who asked; pictures of different callers take turns. */
  caller: string;
  /** Aborted when the caller has hung up. */
  signal: AbortSignal;
}

/** For every route that has a picture analysed. */
export function onBehalfOf(request: FastifyRequest): OnBehalf {
  return { caller: callerId(request), signal: request.gone };
}

/**
 * By what callers are told apart where each gets a share: the key, with all of its sessions and addresses, else the
 * address (IPv6: a /64).
 */
export function callerId(request: Pick<FastifyRequest, 'caller' | 'ip'>): string {
  return request.caller.keyId || addressOf(request);
}

/** A caller's address for counting: IPv6 by its /64, because one caller has that many addresses. */
export function addressOf({ ip }: Pick<FastifyRequest, 'ip'>): string {
  // Once the connection is gone there is none.
  return isIP(ip) ? normalizeIP(ip, 64) : '';
}
