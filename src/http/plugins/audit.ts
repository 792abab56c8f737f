import { normalizeIP } from '@fastify/rate-limit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Action, Audit, AuditEntry } from '../../access/audit.js';
import type { App } from '../app-type.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * What the route's calls are in the audit. Left out: by the method for routes that ask for `enrol` or `admin`
     * and change something, else not at all. False: never.
     */
    audit?: Action | false;
  }
}

const REFUSALS = new Set([401, 403, 429]);
const BY_METHOD: Record<string, Action | undefined> = {
  POST: 'enrol',
  PUT: 'change',
  PATCH: 'change',
  DELETE: 'delete',
};
/** Fields of paths, queries and bodies that say whom a call is about. Pictures and vectors have other names. */
const IDS = ['groupid', 'userid', 'faceid', 'id', 'from', 'subject', 'image_id', 'name', 'role'] as const;

/** Lines that one address gets for refused calls within a minute: whoever knocks must not fill the disk. */
const LINES = 30;
const MINUTE = 60_000;
const ADDRESSES = 10_000;

/** Writes a line for each enrolment, change, deletion, export, key change and refused call. */
export function registerAudit(app: App, audit: Audit): void {
  const knocks = createKnocks();
  app.addHook('onResponse', (request, reply, done) => {
    const entry = entryOf(request, reply);
    if (entry?.action === 'refused') {
      const unwritten = knocks.count(normalizeIP(request.ip, 64));
      if (unwritten !== undefined) audit.record({ ...entry, unwritten });
    } else if (entry) audit.record(entry);
    done();
  });
  app.addHook('onClose', async () => {
    await audit.flush();
  });
}

function entryOf(request: FastifyRequest, reply: FastifyReply): AuditEntry | undefined {
  const { routeOptions, caller, ip } = request;
  const status = reply.statusCode;
  const refused = REFUSALS.has(status);
  const action = refused ? 'refused' : actionOf(request);
  if (!action) return undefined;
  return {
    who: caller.name,
    address: ip,
    action,
    whom: idsOf(request),
    outcome: status < 400 ? 'done' : status < 500 ? 'refused' : 'failed',
    status,
    route: `${request.method} ${routeOptions.url ?? '*'}`,
    requestId: request.id,
  };
}

function actionOf({ method, routeOptions: { config } }: FastifyRequest): Action | undefined {
  if (config.audit !== undefined) return config.audit || undefined;
  const { access = 'admin' } = config;
  return access === 'enrol' || access === 'admin' ? BY_METHOD[method] : undefined;
}

function idsOf({ params, query, body }: FastifyRequest): Record<string, unknown> {
  const given = [query, body, params].filter((part) => typeof part === 'object' && part !== null);
  const all = Object.assign({}, ...given) as Record<string, unknown>;
  return Object.fromEntries(IDS.filter((name) => name in all).map((name) => [name, all[name]]));
}

/** How many refused calls an address has made of late. */
function createKnocks() {
  const byAddress = new Map<string, { since: number; lines: number; unwritten: number }>();
  return {
    /** @returns the calls that got no line since the last one, or undefined when this one gets none either */
    count(address: string, now = performance.now()): number | undefined {
      let knock = byAddress.get(address);
      if (!knock || now - knock.since > MINUTE) {
        knock = { since: now, lines: 0, unwritten: knock?.unwritten ?? 0 };
        byAddress.delete(address);
        byAddress.set(address, knock);
        const oldest = byAddress.keys().next();
        if (byAddress.size > ADDRESSES && !oldest.done) byAddress.delete(oldest.value);
      }
      if (knock.lines >= LINES) {
        knock.unwritten += 1;
        return undefined;
      }
      knock.lines += 1;
      const { unwritten } = knock;
      knock.unwritten = 0;
      return unwritten;
    },
  };
}
