import { appendFile, open } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '../log.js';
import { makeFolder, unlessMissing } from '../durable.js';
import { splitFaceId } from '../gallery/ids.js';

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
/** What stands behind the faceid in the ID of a face. */
const FACE = /_\d{8}_\d{6}_[0-9a-z]{1,16}$/;
const ADDRESS = /^[0-9a-fA-F:.%a-z ]{1,60}$/;
const ROUTE = /^[A-Z]{3,7} [/*][0-9A-Za-z_/:.*-]{0,120}$/;
/** Names in one line. */
const MAX_IDS = 8;
/** IDs in a list of one line. */
export const MAX_LISTED = 200;
/** Characters of lines that wait for a file that can be written again. */
const MAX_KEPT = 1_000_000;

/**
 * Keeps who did what to whom, a JSON object a line, appended in whole lines, so that several workers can share the
 * file. Lines are written in order. A file that cannot be written (a full disk) stops nothing: it is told of in the log,
 * and the lines are written when the next one can be.
 * @param file made when it is not there, readable by its owner alone
 */
export function createAudit({ file, log }: { file: string; log?: Pick<Logger, 'info' | 'error'> }) {
  let writing: Promise<void> = Promise.resolve();
  let isOpen = false;
  /** The file may end in half a line. */
  let isTorn = false;
  /** Whole lines that are not in the file yet. */
  let kept = '';

  async function append(line: string): Promise<void> {
    kept = kept.length + line.length > MAX_KEPT ? line : kept + line;
    try {
      if (!isOpen) {
        await makeFolder(path.dirname(file));
        isTorn = await endsInHalfALine(file);
        isOpen = true;
      }
      await appendFile(file, isTorn ? `\n${kept}` : kept, { mode: 0o600 });
      isTorn = false;
      kept = '';
    } catch (err) {
      isTorn = isOpen;
      log?.error({ err }, 'The audit file cannot be written');
    }
  }

  return {
    file,

    /** @returns resolves when the line is in the file, or cannot be written; never rejects */
    record(entry: AuditEntry): Promise<void> {
      const line = auditLine(entry);
      log?.info({ audit: { ...line, ...(entry.whom && { whom: idsOf(entry.whom, isPlain) }) } }, 'Audit');
      writing = writing.then(() => append(`${toJson(line)}\n`));
      return writing;
    },

    /** Resolves when everything recorded so far has been written. */
    async flush(): Promise<void> {
      await writing;
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
  return FIT.test(value) || splitFaceId(value.replace(FACE, '')) !== undefined;
}
