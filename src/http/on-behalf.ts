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
  return { caller: callerId(request), signal: goneSignal(request) };
}

/**
 * What one caller's share of anything is counted by: the key, with all of its sessions and addresses, else the address
 * (IPv6: a /64).
 */
export function callerId({ caller, ip }: Pick<FastifyRequest, 'caller' | 'ip'>): string {
  // An address is none any more once the connection is gone.
  return caller.keyId || normalizeIP((ip as string | undefined) ?? '', 64);
}

/** Aborted when the client hangs up before it has its answer. */
export function goneSignal(request: FastifyRequest): AbortSignal {
  // Fastify's signal tells of a connection that closes from now on.
  return request.raw.destroyed ? AbortSignal.abort() : request.signal;
}
