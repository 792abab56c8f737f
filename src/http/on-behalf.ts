import { isIP } from 'node:net';
import { normalizeIP } from '@fastify/rate-limit';
import type { FastifyRequest } from 'fastify';

/** For whom a picture is looked at: what the vision threads need to know to be fair, and to stop. */
export interface OnBehalf {
  /** By whom it is asked; pictures of different callers take turns. */
  caller: string;
  /** Aborted when whoever asked has hung up. */
  signal: AbortSignal;
}

/** Every route that has a picture looked at says so for whom. */
export function onBehalfOf(request: FastifyRequest): OnBehalf {
  return { caller: callerId(request), signal: request.gone };
}

/**
 * What one caller's share of anything is counted by: the key, with all of its sessions and addresses, else the address
 * (IPv6: a /64).
 */
export function callerId(request: Pick<FastifyRequest, 'caller' | 'ip'>): string {
  return request.caller.keyId || addressOf(request);
}

/** A caller's address as it is counted by, IPv6 by its /64: there are too many others. */
export function addressOf({ ip }: Pick<FastifyRequest, 'ip'>): string {
  // It is none any more once the connection is gone.
  return isIP(ip) ? normalizeIP(ip, 64) : '';
}
