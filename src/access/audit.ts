import { open } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '../platform/log.js';
import { makeFolder, unlessMissing } from '../platform/files/durable.js';
import { personOfFace } from '../gallery/face-name.js';
import { splitFaceId } from '../gallery/ids.js';
import { type Obstacle, obstacleOf } from '../platform/files/obstacles.js';
import { giveIfNew } from '../platform/files/owner.js';
import { createReserve } from '../platform/files/reserve.js';

/** What is worth a line. */
export const ACTIONS = [
  'enrol',
  'change',
  'delete',
  'export',
  'import',
  'key added',
  'key revoked',
  'sign-in link',
  'sign in',
  'sign out',
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
  /**
   * Whose: IDs of groups, people, faces or keys by what each is, such as `{ faceid: 'staff-7' }`; `groups`, `people` and
   * `faces` are lists.
   */
  whom?: Record<string, unknown>;
  /**
   * `begun`: it goes on, and another line with this request's ID says how it ended; what the line lists is done.
   * `aborted`: whoever asked hung up before it was done; what the line lists was done all the same.
   */
  outcome: 'begun' | 'done' | 'refused' | 'failed' | 'aborted';
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
/** What the server does by itself. */
export const AUTOMATIC = { who: 'automatic enrolment', address: 'this server' } as const;
export const FIRST_START = { who: 'first start', address: 'this server' } as const;

/** The audit; see {@link createAudit}. */
export type Audit = ReturnType<typeof createAudit>;

/** Names and IDs are short and of few letters. Whatever else somebody sends as one is not written. */
const FIT = /^[0-9A-Za-z_][0-9A-Za-z_.@ -]{0,63}$/;
/** The same in other scripts: an ID that was refused is told as it came. */
const WORD = /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.@ -]{0,63}$/u;
/** CompreFace's subjects are any text, so long at most. */
const TEXTS = new Set(['subject', 'to']);
const MAX_TEXT = 255;
/** Names whose values are lists. */
const LISTS = new Set(['groups', 'people', 'faces']);
/** Written by their codes, so that a line looks on every terminal as it is. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const ADDRESS = /^[0-9a-fA-F:.%a-z ]{1,60}$/;
const ROUTE = /^[A-Z]{3,7} [/*][0-9A-Za-z_/:.*-]{0,120}$/;
/** Names in one line. */
const MAX_IDS = 8;
/** IDs in a list of one line. */
export const MAX_LISTED = 200;
/** Lines that wait in memory for a disk that cannot be written; and milliseconds until it is tried again. */
const WAITING = 10_000;
const AGAIN = 5000;
/** Lines after which room is kept aside again. */
const KEEP_EVERY = 100;

/**
 * Keeps who did what to whom, a JSON object a line, appended in whole lines, so that several workers can share the
 * file. Lines are written in order. On a full disk they go into room that is kept aside, and when that is used up they
 * wait in memory; the log and readiness say so.
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
  /** The file may end in half a line, which another process left: the next begins with a line break. */
  let isTorn: boolean | undefined;

  /** @param lines those that are in the file are taken out of it, also when the others do not fit */
  async function write(lines: string[]): Promise<void> {
    await makeFolder(folder);
    isTorn ??= await endsInHalfALine(file);
    const handle = await open(file, 'a', 0o600);
    try {
      await giveIfNew(handle, file);
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

  /** What cannot be written is kept and tried again: with the next line, and every few seconds. */
  async function writeWaiting(): Promise<void> {
    if (waiting.length === 0) return;
    const lines = waiting.splice(0);
    const count = lines.length;
    try {
      await reserve.spend(() => write(lines));
      // Also where this is another disk than the gallery's.
      if (unkept <= 0) await reserve.keep();
      unkept = (unkept <= 0 ? KEEP_EVERY : unkept) - count;
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

    /** @returns resolves when the line is in the file, or cannot be written; never rejects */
    record(entry: AuditEntry): Promise<void> {
      const line = auditLine(entry);
      log?.info({ audit: { ...line, ...(entry.whom && { whom: idsOf(entry.whom, isPlain) }) } }, 'Audit');
      waiting.push(`${toJson(line)}\n`);
      writing = writing.then(writeWaiting);
      return writing;
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

/** Whether a file was left in the middle of a line, by a full disk or the end of a process. */
async function endsInHalfALine(file: string): Promise<boolean> {
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
  return JSON.stringify(line).replace(UNSEEN, (character) =>
    Array.from({ length: character.length }, (_, i) => character.charCodeAt(i))
      .map((code) => `\\u${code.toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

/** A line from an entry: fields that are known, values that are names. Nothing else can get in. */
export function auditLine(
  entry: AuditEntry,
  now = new Date(),
): Record<string, unknown> & { whom?: Record<string, unknown> } {
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

type Test = (name: string, value: string) => boolean;

function idsOf(whom: Record<string, unknown>, isFit: Test = isToTell): Record<string, string | string[]> {
  const told = (name: string, value: unknown) =>
    typeof value === 'string' && isFit(name, value) ? value : '?';
  const ids: Record<string, string | string[]> = {};
  const known = Object.entries(whom).filter(([name]) => /^[a-z_]{1,12}$/i.test(name));
  for (const [name, value] of known.slice(0, MAX_IDS)) {
    if (!LISTS.has(name) || !Array.isArray(value)) ids[name] = told(name, value);
    else ids[name] = value.slice(0, MAX_LISTED).map((id: unknown) => told(name, id));
  }
  return ids;
}

function fit(value: string): string {
  return isPlain('', value) ? value : '?';
}

/** For the audit itself. */
function isToTell(name: string, value: string): boolean {
  if (TEXTS.has(name)) return value.length <= MAX_TEXT;
  return isPlain(name, value) || WORD.test(value);
}

/** For the log, which holds no names. */
function isPlain(_name: string, value: string): boolean {
  return FIT.test(value) || splitFaceId(personOfFace(value)) !== undefined;
}
