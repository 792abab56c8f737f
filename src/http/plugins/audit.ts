import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Action, type Audit, type AuditEntry, MAX_LISTED } from '../../access/audit.js';
import { onAbort } from '../../platform/abort.js';
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
    /** What the request itself does not say about what it does. */
    audited: Audited;
  }
}

/** What a handler adds to the request's line in the audit: whom it changed, and who did it. */
export interface Audited {
  /** Who did it, where only the route finds that out. */
  by(name: string): void;
  /** What it is, where that is known only from how the route was called. */
  as(action: Action): void;
  /** Whom it is about: IDs by their kind. */
  note(ids: Record<string, unknown>): void;
  /** What was erased of people, under the receipt's ID. */
  erased(receipt: string, counts: Readonly<Record<string, number>>): void;
  /** One more that was enrolled, changed or deleted: it is listed even if a later one fails. */
  did(list: 'groups' | 'people' | 'faces', id: string): void;
  /** What goes on behind an answer that has begun: its last line waits for that, and says so where it fails. */
  until(work: Promise<unknown>): void;
}

interface Notes extends Audited {
  /** Resolves to whether what goes on has failed. */
  hasFailed: Promise<boolean>;
  who: string | undefined;
  action: Action | undefined;
  ids: Record<string, unknown>;
  counts: Readonly<Record<string, number>> | undefined;
  lists: Record<string, string[]>;
}

const REFUSALS = new Set([401, 403, 429]);
/** The caller has hung up. */
const GONE = 499;
const BY_METHOD: Record<string, Action | undefined> = {
  POST: 'enrol',
  PUT: 'change',
  PATCH: 'change',
  DELETE: 'delete',
};
/** Fields of paths, queries and bodies that say whom a call is about. Pictures and vectors have other names. */
const IDS = ['groupid', 'userid', 'faceid', 'id', 'from', 'subject', 'image_id', 'name', 'role'] as const;

/** Lines that one address gets for refused calls within a minute: nobody may fill the disk by being refused. */
const LINES = 30;
const MINUTE = 60_000;
const ADDRESSES = 10_000;

/**
 * Writes a line for each enrolment, change, deletion, export, key change and refused call. A call's line is written when
 * its work has ended and before its answer goes out, so that hanging up keeps nobody out of the audit. An answer that
 * is streamed has a line when it begins and one when it has ended.
 */
export function registerAudit(app: App, audit: Audit): void {
  const refusals = countRefusals();
  const notes = new WeakMap<FastifyRequest, Notes>();
  const told = new WeakSet<FastifyRequest>();
  /** Last lines that are yet to be written. */
  const ending = new Set<Promise<void>>();

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

  // Every answer passes here, even when the caller is gone; an error in a later hook makes it pass a second time.
  app.addHook('onSend', (request, reply, payload, done) => {
    const entry = told.has(request) ? undefined : entryOf(request, notes.get(request), reply);
    if (!entry) {
      done(null, payload);
      return;
    }
    told.add(request);
    const go = () => done(null, payload);
    if (entry.action === 'refused') {
      const unwritten = refusals.count(addressOf(request));
      if (unwritten !== undefined) void audit.record({ ...entry, unwritten });
      go();
    } else if (entry.outcome === 'done' && isStream(payload)) {
      const begun = audit.record({ ...entry, outcome: 'begun' });
      let hasEnded = false;
      const end = (outcome: AuditEntry['outcome']) => {
        if (hasEnded) return;
        hasEnded = true;
        const ended = recordEnd(outcome).finally(() => ending.delete(ended));
        ending.add(ended);
      };
      /** With what was done since the first line. */
      const recordEnd = async (outcome: AuditEntry['outcome']) => {
        const hasFailed = (await notes.get(request)?.hasFailed) && outcome === 'done';
        const whole = entryOf(request, notes.get(request), reply) ?? entry;
        await audit.record({ ...whole, outcome: hasFailed ? 'failed' : outcome });
      };
      reply.raw.once('finish', () => end('done'));
      // Perhaps while the answer was being prepared.
      onAbort(request.gone, () => end(payload.errored ? 'failed' : 'aborted'));
      void begun.then(go);
    } else void audit.record(entry).then(go);
  });
  app.addHook('onClose', async () => {
    await Promise.all(ending);
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
  // Nothing is at that address that could be done or refused.
  if (request.is404) return undefined;
  const status = reply && statusOf(request, reply);
  const asked = notes?.action ?? actionOf(request);
  // Without a key, sending nonsense gets nobody more lines.
  const isNonsense = asked && status !== undefined && status >= 400 && caller.via === 'nothing';
  const action = isNonsense || REFUSALS.has(status ?? 0) ? 'refused' : asked;
  if (!action) return undefined;
  return {
    who: notes?.who ?? caller.name,
    address: ip,
    action,
    whom: { ...idsOf(request), ...notes?.ids, ...notes?.lists },
    outcome: status === undefined ? 'begun' : outcomeOf(status),
    ...(notes?.counts && { erased: notes.counts }),
    status,
    route: `${request.method} ${routeOptions.url ?? '*'}`,
    requestId: request.id,
  };
}

/** A body that broke off is neither a mistake in what was sent nor a fault of ours. */
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

/** @param tell is given each list that is full, because a line holds only so many */
function createNotes(tell: (lists: Record<string, string[]>) => void): Notes {
  const notes: Notes = {
    who: undefined,
    action: undefined,
    ids: {},
    counts: undefined,
    lists: {},
    hasFailed: Promise.resolve(false),
    erased(receipt, counts) {
      notes.ids.receipt = receipt;
      notes.counts = counts;
    },
    by(name) {
      notes.who = name;
    },
    as(action) {
      notes.action = action;
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
    until(work) {
      notes.hasFailed = work.then(
        () => false,
        () => true,
      );
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
  const textOf = (value: unknown) => (typeof value === 'number' ? String(value) : value);
  return Object.fromEntries(IDS.filter((name) => name in all).map((name) => [name, textOf(all[name])]));
}

/** How many calls of each address were refused within the last minute. */
function countRefusals() {
  const byAddress = new Map<string, { since: number; lines: number; unwritten: number }>();
  return {
    /** @returns the calls since the last line that got none, or undefined when this one gets none either */
    count(address: string, now = performance.now()): number | undefined {
      let window = byAddress.get(address);
      if (!window || now - window.since > MINUTE) {
        window = { since: now, lines: 0, unwritten: window?.unwritten ?? 0 };
        byAddress.delete(address);
        byAddress.set(address, window);
        const oldest = byAddress.keys().next();
        if (byAddress.size > ADDRESSES && !oldest.done) byAddress.delete(oldest.value);
      }
      if (window.lines >= LINES) {
        window.unwritten += 1;
        return undefined;
      }
      window.lines += 1;
      const { unwritten } = window;
      window.unwritten = 0;
      return unwritten;
    },
  };
}
