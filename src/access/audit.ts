import { appendFile } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '../log.js';
import { makeFolder } from '../durable.js';
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
/** IDs in one line. */
const MAX_IDS = 8;

/**
 * Keeps who did what to whom, a JSON object a line, appended in whole lines, so that several workers can share the
 * file. Lines are written in order and in the background: a disk that is full stops no answer but is told of in the
 * log.
 * @param file made when it is not there, readable by its owner alone
 */
export function createAudit({ file, log }: { file: string; log?: Pick<Logger, 'info' | 'error'> }) {
  let writing: Promise<void> = Promise.resolve();
  let folderIsThere = false;

  async function append(text: string): Promise<void> {
    try {
      if (!folderIsThere) await makeFolder(path.dirname(file));
      folderIsThere = true;
      await appendFile(file, text, { mode: 0o600 });
    } catch (err) {
      log?.error({ err }, 'The audit file cannot be written');
    }
  }

  return {
    file,

    record(entry: AuditEntry): void {
      const line = auditLine(entry);
      log?.info({ audit: line }, 'Audit');
      writing = writing.then(() => append(`${JSON.stringify(line)}\n`));
    },

    /** Resolves when everything recorded so far has been written. */
    async flush(): Promise<void> {
      await writing;
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
