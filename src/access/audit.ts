import { open } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '../log.js';
import { makeFolder } from '../durable.js';
import { splitFaceId } from '../gallery/ids.js';
import { type Obstacle, obstacleOf } from '../obstacles.js';
import { giveIfNew } from '../owner.js';
import { createReserve } from '../reserve.js';

/** What is worth a line. */
export const ACTIONS = [
  'enrol',
  'change',
  'delete',
  'export',
  'import',
  'key added',
  'key revoked',
  'sign in',
  'refused',
] as const;
export type Action = (typeof ACTIONS)[number];

/** One line of the audit file, before it is checked. */
export interface AuditEntry {
  /** The key's name. */
  who: string;
  /** Where from: an address, or `command line`. */
  address: string;
  action: Action;
  /** Whose: IDs of groups, people, faces or keys by what each is, such as `{ faceid: 'staff-7' }`. */
  whom?: Record<string, unknown>;
  outcome: 'done' | 'refused' | 'failed';
  /** HTTP status. */
  status?: number;
  /** The route's pattern, such as `/api/v1/people/:faceid`; never what a caller wrote in its place. */
  route?: string;
  requestId?: string;
  /** Refused calls of the same address that had no line of their own since its last one. */
  unwritten?: number;
}

/** Whoever works on the machine itself has no key and no address. */
export const COMMAND_LINE = { who: 'command line', address: 'command line' } as const;

/** The audit; see {@link createAudit}. */
export type Audit = ReturnType<typeof createAudit>;

/** Names and IDs are short and of few letters. Whatever else somebody sends as one is not written. */
const FIT = /^[0-9A-Za-z_][0-9A-Za-z_.@ -]{0,63}$/;
/** What stands behind the faceid in the ID of a face. */
const FACE = /_\d{8}_\d{6}_[0-9a-z]{1,16}$/;
const ADDRESS = /^[0-9a-fA-F:.%a-z ]{1,60}$/;
const ROUTE = /^[A-Z]{3,7} [/*][0-9A-Za-z_/:.*-]{0,120}$/;
/** Lines that wait in memory for a disk that cannot be written; and milliseconds until it is tried again. */
const WAITING = 10_000;
const AGAIN = 5000;
/** Lines after which room is kept aside again. */
const KEEP_EVERY = 100;
/** IDs in one line. */
const MAX_IDS = 8;

/**
 * Keeps who did what to whom, a JSON object a line, appended in whole lines, so that several workers can share the
 * file. Lines are written in order and in the background. On a full disk they go into room that is kept aside, and when that
 * is used up they wait in memory; the log and readiness say so.
 * @param file made when it is not there, readable by its owner alone
 */
export function createAudit({ file, log }: { file: string; log?: Pick<Logger, 'info' | 'error'> }) {
  const folder = path.dirname(file);
  const reserve = createReserve(folder);
  let writing: Promise<void> = Promise.resolve();
  /** Lines that are not in the file yet, the oldest first. */
  let waiting: string[] = [];
  let lost = 0;
  /** Lines until room is kept aside again. */
  let unkept = 0;
  let trouble: Obstacle | undefined;
  let again: NodeJS.Timeout | undefined;
  /** A part of a line stands at the end of the file: the next begins with a line break. */
  let isTorn = false;

  async function write(text: string): Promise<void> {
    await makeFolder(folder);
    const handle = await open(file, 'a', 0o600);
    try {
      await giveIfNew(handle, file);
      const bytes = Buffer.from(isTorn ? `\n${text}` : text);
      // In one piece: other workers append to the same file.
      const { bytesWritten } = await handle.write(bytes);
      isTorn = bytesWritten > 0 && bytesWritten < bytes.length;
      if (bytesWritten < bytes.length)
        throw Object.assign(new Error('A line was cut off'), { code: 'ENOSPC' });
    } finally {
      await handle.close();
    }
  }

  /** What cannot be written is kept and tried again: with the next line, and every few seconds. */
  async function writeWaiting(): Promise<void> {
    if (waiting.length === 0) return;
    const lines = waiting.splice(0);
    try {
      await reserve.spend(() => write(lines.join('')));
      // Also where this is another disk than the gallery's.
      if (unkept <= 0) await reserve.keep();
      unkept = (unkept <= 0 ? KEEP_EVERY : unkept) - lines.length;
      if (trouble) log?.info({ lost }, 'The audit file can be written again');
      [trouble, lost] = [undefined, 0];
    } catch (err) {
      if (!trouble) log?.error({ err }, 'The audit file cannot be written: its lines are kept until it can');
      trouble = obstacleOf(err) ?? 'unreachable';
      const all = [...lines, ...waiting];
      waiting = all.slice(-WAITING);
      lost += all.length - waiting.length;
      clearTimeout(again);
      again = setTimeout(() => {
        writing = writing.then(writeWaiting);
      }, AGAIN).unref();
    }
  }

  return {
    file,

    record(entry: AuditEntry): void {
      const line = auditLine(entry);
      log?.info({ audit: line }, 'Audit');
      waiting.push(`${JSON.stringify(line)}\n`);
      writing = writing.then(writeWaiting);
    },

    /** Why the file cannot be written at the moment, and lines wait in memory. */
    obstacle: (): Obstacle | undefined => trouble,

    /** Resolves when everything recorded so far has been written, or cannot be. */
    async flush(): Promise<void> {
      await writing;
      if (waiting.length > 0) await writeWaiting();
      clearTimeout(again);
    },
  };
}

/** A line from an entry: fields that are known, values that are names. Nothing else can get in. */
export function auditLine(entry: AuditEntry, now = new Date()): Record<string, unknown> {
  const { who, address, action, whom, outcome, status, route, requestId, unwritten } = entry;
  return {
    time: now.toISOString(),
    who: fit(who),
    address: ADDRESS.test(address) ? address : '?',
    action,
    ...(whom && { whom: idsOf(whom) }),
    outcome,
    ...(Number.isInteger(status) && { status }),
    ...(route !== undefined && { route: ROUTE.test(route) ? route : '?' }),
    ...(requestId !== undefined && { requestId: fit(requestId) }),
    ...(unwritten !== undefined && unwritten > 0 && { unwritten }),
  };
}

function idsOf(whom: Record<string, unknown>): Record<string, string> {
  const known = Object.entries(whom).filter(([name]) => /^[a-z]{1,12}$/i.test(name));
  return Object.fromEntries(known.slice(0, MAX_IDS).map(([name, value]) => [name, fit(value)]));
}

function fit(value: unknown): string {
  if (typeof value !== 'string') return '?';
  return FIT.test(value) || splitFaceId(value.replace(FACE, '')) ? value : '?';
}
