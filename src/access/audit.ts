import { open } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '../platform/log.js';
import { makeFolder, unlessMissing } from '../platform/files/durable.js';
import { personOfFace } from '../gallery/face-name.js';
import { splitFaceId } from '../gallery/ids.js';
import { type Obstacle, obstacleOf } from '../platform/files/obstacles.js';
import { createReserve } from '../platform/files/reserve.js';
import { openForLines } from './audit-file.js';

/** What is recorded. */
export type Action =
  | 'enrol'
  | 'change'
  | 'delete'
  | 'expired'
  | 'export'
  | 'import'
  | 'key added'
  | 'key changed'
  | 'key revoked'
  | 'sign-in link'
  | 'sign in'
  | 'sign out'
  | 'refused';

/** One line of the audit file, before it is checked. */
export interface AuditEntry {
  /** The key's name. */
  who: string;
  /** Where the call came from: an address, or `command line`. */
  address: string;
  action: Action;
  /**
   * IDs of the groups, people, faces or keys concerned, by their kind, such as `{ faceid: 'staff-7' }`; `groups`, `people`
   * and `faces` are lists.
   */
  whom?: Record<string, unknown>;
  /**
   * `begun`: the work goes on, and another line with the same request ID will tell its outcome; what this line lists is done.
   * `aborted`: the caller hung up before the end; what the line lists was done nonetheless.
   */
  outcome: 'begun' | 'done' | 'refused' | 'failed' | 'aborted';
  /** HTTP status. */
  status?: number;
  /** The route's pattern, such as `/api/v1/people/:faceid`; never the path that the caller sent. */
  route?: string;
  requestId?: string;
  /** What was erased, counted by kind; `whom.receipt` names the receipt. */
  erased?: Readonly<Record<string, number>>;
  /** How many refused calls from the same address were not recorded since its last line. */
  unwritten?: number;
}

/** Commands run on the machine itself, without a key or an address. */
export const COMMAND_LINE = { who: 'command line', address: 'command line' } as const;
/** The server acts by itself. */
export const AUTOMATIC = { who: 'automatic enrolment', address: 'this server' } as const;
export const EXPIRY = { who: 'expired consent', address: 'this server' } as const;
export const FIRST_START = { who: 'first start', address: 'this server' } as const;

/** The audit; see {@link createAudit}. */
export type Audit = ReturnType<typeof createAudit>;

/** Valid names and IDs; anything else is not written. */
const PLAIN_ID = /^[0-9A-Za-z_][0-9A-Za-z_.@ -]{0,63}$/;
/** The same in any script: an ID that was refused is recorded as it came. */
const ID_IN_ANY_SCRIPT = /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.@ -]{0,63}$/u;
/** CompreFace's subjects are any text, up to MAX_TEXT. */
const TEXTS = new Set(['subject', 'to']);
const MAX_TEXT = 255;
/** Names whose values are lists. */
const LISTS = new Set(['groups', 'people', 'faces']);
/** Invisible characters are written as escapes, so that no terminal can be made to show a line other than it is. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const ADDRESS = /^[0-9a-fA-F:.%a-z ]{1,60}$/;
const ROUTE = /^[A-Z]{3,7} [/*][0-9A-Za-z_/:.*-]{0,120}$/;
/** Names in one line. */
const MAX_IDS = 8;
/** IDs in one list of a line. */
export const MAX_LISTED = 200;
/** Lines that may wait in memory while the disk cannot be written. */
const MAX_WAITING = 10_000;
/** Between two attempts to write them, milliseconds. */
const RETRY_EVERY = 5000;
/** After this many lines the reserve of disk space is checked again. */
const RESERVE_EVERY = 100;

/**
 * Records who did what to whom: one JSON object per line, appended in whole lines, so that several workers can share the
 * file. Lines are written in order. On a full disk they use the room kept aside, and when that is used up they wait in
 * memory; the log and readiness say so.
 * @param file created when missing, readable by its owner only
 */
export function createAudit({ file, log }: { file: string; log?: Pick<Logger, 'info' | 'error'> }) {
  const folder = path.dirname(file);
  const reserve = createReserve(folder);
  let writing: Promise<void> = Promise.resolve();
  /** Lines that are not in the file yet, oldest first. */
  let waiting: string[] = [];
  let lost = 0;
  /** Lines until the reserve is checked again. */
  let untilReserve = 0;
  let obstacle: Obstacle | undefined;
  let retry: NodeJS.Timeout | undefined;
  /** The file may end in half a line that another process left: then the next write starts with a line break. */
  let isTorn: boolean | undefined;

  /** @param lines emptied of those that were written, even when the others do not fit */
  async function write(lines: string[]): Promise<void> {
    await makeFolder(folder);
    isTorn ??= await endsMidLine(file);
    const handle = await openForLines(file);
    try {
      const text = lines.join('');
      const bytes = Buffer.from(isTorn ? `\n${text}` : text);
      // In one piece: other workers append to the same file.
      const { bytesWritten } = await handle.write(bytes);
      if (bytesWritten < bytes.length) {
        const whole =
          bytes
            .subarray(isTorn ? 1 : 0, bytesWritten)
            .toString('latin1')
            .split('\n').length - 1;
        lines.splice(0, whole);
        isTorn = bytesWritten > 0 ? bytes[bytesWritten - 1] !== 10 : isTorn;
        throw Object.assign(new Error('A line was cut off'), { code: 'ENOSPC' });
      }
      isTorn = false;
      lines.length = 0;
    } finally {
      await handle.close();
    }
  }

  /** Lines that cannot be written are kept, and tried again with the next line and every few seconds. */
  async function writeWaiting(): Promise<void> {
    if (waiting.length === 0) return;
    const lines = waiting.splice(0);
    const count = lines.length;
    try {
      await reserve.spend(() => write(lines));
      // The gallery's reserve may be on another disk.
      if (untilReserve <= 0) await reserve.keep();
      untilReserve = (untilReserve <= 0 ? RESERVE_EVERY : untilReserve) - count;
      if (obstacle) log?.info({ lost }, 'The audit file can be written again');
      obstacle = undefined;
      lost = 0;
    } catch (err) {
      if (!obstacle) log?.error({ err }, 'The audit file cannot be written: its lines are kept until it can');
      obstacle = obstacleOf(err) ?? 'unreachable';
      const all = [...lines, ...waiting];
      waiting = all.slice(-MAX_WAITING);
      lost += all.length - waiting.length;
      clearTimeout(retry);
      retry = setTimeout(() => {
        writing = writing.then(writeWaiting);
      }, RETRY_EVERY).unref();
    }
  }

  return {
    file,

    /** @returns resolves once the line is in the file or cannot be written; never rejects */
    record(entry: AuditEntry): Promise<void> {
      const line = auditLine(entry);
      log?.info(
        { audit: { ...line, ...(entry.whom && { whom: idsOf(entry.whom, isAllowedInLog) }) } },
        'Audit',
      );
      waiting.push(`${toJson(line)}\n`);
      writing = writing.then(writeWaiting);
      return writing;
    },

    /** Why the file cannot be written at the moment, so that lines wait in memory; undefined when it can. */
    obstacle: (): Obstacle | undefined => obstacle,

    /** Resolves once everything recorded so far has been written or cannot be. */
    async flush(): Promise<void> {
      await writing;
      if (waiting.length > 0) await writeWaiting();
      clearTimeout(retry);
    },
  };
}

/** Whether a full disk or a killed process left the file in the middle of a line. */
async function endsMidLine(file: string): Promise<boolean> {
  const handle = await unlessMissing(open(file, 'r'));
  if (!handle) return false;
  try {
    const { size } = await handle.stat();
    if (size === 0) return false;
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
    return buffer.toString() !== '\n';
  } finally {
    await handle.close();
  }
}

function toJson(line: Record<string, unknown>): string {
  return JSON.stringify(line).replace(INVISIBLE, (character) =>
    Array.from({ length: character.length }, (_, i) => character.charCodeAt(i))
      .map((code) => `\\u${code.toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

/** The line of an entry: only known fields, and only values that look like names or IDs. */
export function auditLine(
  entry: AuditEntry,
  now = new Date(),
): Record<string, unknown> & { whom?: Record<string, unknown> } {
  const { who, address, action, whom, outcome, erased, status, route, requestId, unwritten } = entry;
  return {
    time: now.toISOString(),
    who: plainOrUnknown(who),
    address: ADDRESS.test(address) ? address : '?',
    action,
    ...(whom && { whom: idsOf(whom) }),
    outcome,
    ...(erased && { erased: countsOf(erased) }),
    ...(Number.isInteger(status) && { status }),
    ...(route !== undefined && { route: ROUTE.test(route) ? route : '?' }),
    ...(requestId !== undefined && { requestId: plainOrUnknown(requestId) }),
    ...(unwritten !== undefined && unwritten > 0 && { unwritten }),
  };
}

type IdTest = (name: string, value: string) => boolean;

/** The IDs that pass a test; '?' in the place of the others. */
function idsOf(
  whom: Record<string, unknown>,
  isAllowed: IdTest = isAllowedInAudit,
): Record<string, string | string[]> {
  const checked = (name: string, value: unknown) =>
    typeof value === 'string' && isAllowed(name, value) ? value : '?';
  const ids: Record<string, string | string[]> = {};
  const known = Object.entries(whom).filter(([name]) => /^[a-z_]{1,12}$/i.test(name));
  for (const [name, value] of known.slice(0, MAX_IDS)) {
    if (!LISTS.has(name) || !Array.isArray(value)) ids[name] = checked(name, value);
    else ids[name] = value.slice(0, MAX_LISTED).map((id: unknown) => checked(name, id));
  }
  return ids;
}

const countsOf = (counts: Readonly<Record<string, number>>) =>
  Object.fromEntries(
    Object.entries(counts).filter(
      ([kind, count]) => /^[a-z]{1,20}$/i.test(kind) && Number.isSafeInteger(count),
    ),
  );

const plainOrUnknown = (value: string) => (isAllowedInLog('', value) ? value : '?');

function isAllowedInAudit(name: string, value: string): boolean {
  if (TEXTS.has(name)) return value.length <= MAX_TEXT;
  return isAllowedInLog(name, value) || ID_IN_ANY_SCRIPT.test(value);
}

/** The log holds no names, so only plain IDs. */
function isAllowedInLog(_name: string, value: string): boolean {
  return PLAIN_ID.test(value) || splitFaceId(personOfFace(value)) !== undefined;
}
