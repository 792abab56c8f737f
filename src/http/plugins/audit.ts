import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Action, type Audit, type AuditEntry, MAX_LISTED } from '../../access/audit.js';
import type { App } from '../app-type.js';
import { addressOf } from '../on-behalf.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * What the route's calls are in the audit. Left out: by the method for routes that ask for `enrol` or `admin`
     * and change something, else not at all. False: never.
     */
    audit?: Action | false;
  }
  interface FastifyRequest {
    /** What the request itself does not say of what it does. */
    audited: Audited;
  }
}

/** What a handler knows of whom it changed, and by whom; for the audit's line of the request. */
export interface Audited {
  /** Who it is, where the route finds that out. */
  by(name: string): void;
  /** Whom it is about, by what each ID is. */
  note(ids: Record<string, unknown>): void;
  /** One more that has been enrolled, changed or deleted: told whatever becomes of the others. */
  did(list: 'groups' | 'people' | 'faces', id: string): void;
}

interface Notes extends Audited {
  who: string | undefined;
  ids: Record<string, unknown>;
  lists: Record<string, string[]>;
}

const REFUSALS = new Set([401, 403, 429]);
/** Nobody waits for the answer. */
const GONE = 499;
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

/**
 * Writes a line for each enrolment, change, deletion, export, key change and refused call. A call's line is written when
 * its work has ended and before its answer goes out: whoever hangs up is in it like everybody else. An answer that
 * streams has one when it begins and one when it has ended.
 */
export function registerAudit(app: App, audit: Audit): void {
  const knocks = createKnocks();
  const notes = new WeakMap<FastifyRequest, Notes>();
  const told = new WeakSet<FastifyRequest>();

  app.decorateRequest('audited', {
    getter() {
      let mine = notes.get(this);
      if (!mine) {
        mine = createNotes((lists) => {
          const entry = entryOf(this, mine);
          if (entry) void audit.record({ ...entry, whom: { ...entry.whom, ...lists }, outcome: 'begun' });
        });
        notes.set(this, mine);
      }
      return mine;
    },
  });

  // What answers a call comes by here, also when nobody is there to have the answer; and an error of this hook's own
  // followers would come by a second time.
  app.addHook('onSend', (request, reply, payload, done) => {
    const entry = told.has(request) ? undefined : entryOf(request, notes.get(request), reply);
    if (!entry) {
      done(null, payload);
      return;
    }
    told.add(request);
    const go = () => done(null, payload);
    if (entry.action === 'refused') {
      const unwritten = knocks.count(addressOf(request));
      if (unwritten !== undefined) void audit.record({ ...entry, unwritten });
      go();
    } else if (entry.outcome === 'done' && isStream(payload)) {
      let hasEnded = false;
      const end = (outcome: AuditEntry['outcome']) => {
        if (!hasEnded) void audit.record({ ...entry, outcome });
        hasEnded = true;
      };
      reply.raw.once('finish', () => end('done'));
      request.gone.addEventListener('abort', () => end(payload.errored ? 'failed' : 'aborted'));
      void audit.record({ ...entry, outcome: 'begun' }).then(go);
    } else void audit.record(entry).then(go);
  });
  app.addHook('onClose', async () => {
    await audit.flush();
  });
}

/** @param reply left out while the work goes on */
function entryOf(
  request: FastifyRequest,
  notes: Notes | undefined,
  reply?: FastifyReply,
): AuditEntry | undefined {
  const { routeOptions, caller, ip } = request;
  // Nothing is at that address to be done or refused.
  if (request.is404) return undefined;
  const status = reply && statusOf(request, reply);
  const asked = actionOf(request);
  // Whoever has no key gets no more lines by sending nonsense.
  const isNonsense = asked && status !== undefined && status >= 400 && caller.via === 'nothing';
  const action = isNonsense || REFUSALS.has(status ?? 0) ? 'refused' : asked;
  if (!action) return undefined;
  return {
    who: notes?.who ?? caller.name,
    address: ip,
    action,
    whom: { ...idsOf(request), ...notes?.ids, ...notes?.lists },
    outcome: status === undefined ? 'begun' : outcomeOf(status),
    status,
    route: `${request.method} ${routeOptions.url ?? '*'}`,
    requestId: request.id,
  };
}

/** A body that broke off is no mistake in what it says, and no fault of ours. */
function statusOf(request: FastifyRequest, { statusCode }: FastifyReply): number {
  const isAboutBody = statusCode === 400 || statusCode === 500;
  const isCut = isAboutBody && !request.ws && !request.raw.readableEnded && request.gone.aborted;
  return isCut ? GONE : statusCode;
}

function outcomeOf(status: number): AuditEntry['outcome'] {
  if (status < 400) return 'done';
  if (status === GONE) return 'aborted';
  return status < 500 ? 'refused' : 'failed';
}

type Streamed = { errored?: unknown } & Record<'pipe', unknown>;
function isStream(payload: unknown): payload is Streamed {
  return typeof payload === 'object' && payload !== null && 'pipe' in payload;
}

/** @param tell gets lists that are full: a line holds so many, and what was done is not kept from the audit till the end */
function createNotes(tell: (lists: Record<string, string[]>) => void): Notes {
  const notes: Notes = {
    who: undefined,
    ids: {},
    lists: {},
    by(name) {
      notes.who = name;
    },
    note(ids) {
      Object.assign(notes.ids, ids);
    },
    did(list, id) {
      const ids = (notes.lists[list] ??= []);
      ids.push(id);
      if (ids.length < MAX_LISTED) return;
      tell(notes.lists);
      notes.lists = {};
    },
  };
  return notes;
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
