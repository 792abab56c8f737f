import { open, rm } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { KaomonError } from '../../platform/errors.js';
import { renameDurably } from '../../platform/files/durable.js';
import { giveIfNew } from '../../platform/files/owner.js';
import type { AddressedSource, ComponentContext } from '../context.js';
import {
  type Answer,
  type Client,
  createClient,
  Interrupted,
  type ProxySettings,
} from './download-client.js';
import { sha256OfFile, statFile } from '../files.js';

export interface DownloadSettings {
  readonly proxy?: ProxySettings;
  /** Address used instead of `https://github.com`, with a source's path below it. */
  readonly mirror?: string;
  /**
   * Give up at once when a host does not answer at all, so that a start does not wait; a transfer that has begun is
   * still resumed. Default false.
   */
  readonly hurry?: boolean;
  /** Bound on reaching a host, ms. Default 5,000. */
  readonly reachWithinMs?: number;
  /** Bound on waiting for the next piece, ms. Default 30,000. */
  readonly stallMs?: number;
  /** Attempts in a row that bring nothing. Default 5. */
  readonly attempts?: number;
  /** Wait before the second attempt, ms; doubled before each further one. Default 1,000. */
  readonly backOffMs?: number;
}

const DEFAULTS = { hurry: false, reachWithinMs: 5_000, stallMs: 30_000, attempts: 5, backOffMs: 1_000 };

/** Fetches one source; the function that a {@link ComponentContext} takes. */
export type Fetcher = NonNullable<ComponentContext['fetchSource']>;

/**
 * Makes the function that fetches published weights. It writes to `<target>.part`, resumes there after the connection
 * broke or the process ended, and renames it to `target` only when length and SHA-256 are the source's. A part that
 * cannot become the file is removed.
 */
export function createFetcher(settings: DownloadSettings = {}): Fetcher {
  const silent: Silent = new Map();
  return async (source, target, onProgress) => {
    const client = createClient(
      settings.proxy ?? {},
      settings.reachWithinMs ?? DEFAULTS.reachWithinMs,
      settings.stallMs ?? DEFAULTS.stallMs,
    );
    const part = `${target}.part`;
    const show = progressLine(source, onProgress);
    try {
      const isResumed = ((await statFile(part))?.bytes ?? 0) > 0;
      await transferWhole(client, source, part, settings, silent, show);
      if (isResumed && (await sha256OfFile(part)) !== source.sha256) {
        // The part from an earlier run may be at fault: fetch it once more from the beginning.
        await rm(part, { force: true });
        await transferWhole(client, source, part, settings, silent, show);
      }
      await adopt(part, target, source);
    } catch (error) {
      if (error instanceof KaomonError || !isSystemError(error)) throw error;
      throw new KaomonError('SETUP', `${source.file} cannot be written to ${part}: ${error.code}.`, {
        cause: error,
      });
    } finally {
      await client.close();
    }
  };
}

/** Hosts that did not answer in a hurry, with what to say about a file: they are not asked again. */
type Silent = Map<string, (file: string) => string>;

/** Tries until the part has the source's length. */
async function transferWhole(
  client: Client,
  source: AddressedSource,
  part: string,
  settings: DownloadSettings,
  silent: Silent,
  show: (bytes: number) => void,
): Promise<void> {
  const { attempts, backOffMs, hurry } = { ...DEFAULTS, ...settings };
  const address = addressOf(source, settings.mirror);
  const known = silent.get(address.host);
  if (known !== undefined) throw new KaomonError('SETUP', known(source.file));
  const host = { answered: false };
  let failures = 0;
  for (;;) {
    const before = (await statFile(part))?.bytes ?? 0;
    if (before === source.bytes) return;
    try {
      await transfer(client, address, source, part, show, () => (host.answered = true));
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      const gained = ((await statFile(part))?.bytes ?? 0) > before;
      failures = gained ? 1 : failures + 1;
      if (failures >= attempts || (hurry && !host.answered)) {
        const sentence = (file: string) => `${file} cannot be fetched: ${error.message}.`;
        if (hurry && !host.answered) silent.set(address.host, sentence);
        throw new KaomonError('SETUP', sentence(source.file), { cause: error });
      }
      await wait(backOffMs * 2 ** (failures - 1));
    }
  }
}

/** One request: from where the part ends to the end of the file. */
async function transfer(
  client: Client,
  address: URL,
  source: AddressedSource,
  part: string,
  show: (bytes: number) => void,
  onAnswer: () => void,
): Promise<void> {
  let have = (await statFile(part))?.bytes ?? 0;
  if (have > source.bytes) {
    await rm(part, { force: true });
    have = 0;
  }
  const answer = await client.get(address, {
    'user-agent': 'kaomon',
    'accept-encoding': 'identity',
    ...(have > 0 ? { range: `bytes=${have}-` } : {}),
  });
  onAnswer();
  try {
    have = checkAnswer(answer, have, source, address);
    const handle = await open(part, have > 0 ? 'a' : 'w');
    try {
      await giveIfNew(handle, part);
      for await (const piece of answer.body) {
        have += piece.byteLength;
        if (have > source.bytes)
          throw notPublished(source, address, `it goes on after ${source.bytes} bytes`);
        await handle.writeFile(piece);
        show(have);
      }
    } finally {
      await handle.sync();
      await handle.close();
    }
  } catch (error) {
    answer.discard();
    if (error instanceof KaomonError || error instanceof UnfitPart) await rm(part, { force: true });
    throw error;
  }
  if (have < source.bytes) throw new Interrupted(`${address.host} sent ${have} of ${source.bytes} bytes`);
}

/** The existing part cannot be resumed. */
class UnfitPart extends Interrupted {}

/** @returns the byte of the file at which the answer's body begins */
function checkAnswer(answer: Answer, have: number, source: AddressedSource, address: URL): number {
  const { status } = answer;
  if (status === 416) throw new UnfitPart(`${address.host} does not resume from byte ${have}`);
  if (status >= 500 || status === 408 || status === 429) {
    throw new Interrupted(`${address.host} answered ${status}`);
  }
  if (status !== 200 && status !== 206) {
    throw new KaomonError('SETUP', `${source.file} cannot be fetched: ${address.href} answered ${status}.`);
  }
  const from = status === 206 ? have : 0;
  if (
    status === 206 &&
    answer.header('content-range') !== `bytes ${have}-${source.bytes - 1}/${source.bytes}`
  ) {
    throw new UnfitPart(`${address.host} does not resume where it was asked to`);
  }
  const announced = answer.header('content-length');
  if (announced !== undefined && Number(announced) !== source.bytes - from) {
    throw notPublished(
      source,
      address,
      `${announced} bytes are announced where ${source.bytes - from} are due`,
    );
  }
  return from;
}

/** Renames the part to `target` when it is the published file, else removes it. */
async function adopt(part: string, target: string, source: AddressedSource): Promise<void> {
  const checksum = await sha256OfFile(part);
  if (checksum === source.sha256) {
    await renameDurably(part, target);
    return;
  }
  await rm(part, { force: true });
  throw new KaomonError(
    'SETUP',
    `What was fetched as ${source.file} is not the published file: its SHA-256 is ${checksum} instead of ${source.sha256}.`,
  );
}

function notPublished(source: AddressedSource, address: URL, reason: string): KaomonError {
  return new KaomonError('SETUP', `${address.href} is not the published ${source.file}: ${reason}.`);
}

function addressOf(source: AddressedSource, mirror: string | undefined): URL {
  if (!mirror) return new URL(source.url);
  if (!URL.canParse(mirror) || !/^https?:/.test(mirror)) {
    throw new KaomonError('SETUP', `MODEL_MIRROR=${mirror} is not the address of a web server.`);
  }
  const base = new URL(mirror);
  base.pathname = base.pathname.replace(/\/$/, '') + new URL(source.url).pathname;
  return base;
}

/** Reports each whole per cent once. */
function progressLine(source: AddressedSource, onProgress: Parameters<Fetcher>[2]): (bytes: number) => void {
  let told = -1;
  return (bytes) => {
    const percent = Math.floor((bytes / source.bytes) * 100);
    if (percent === told) return;
    told = percent;
    onProgress({ kind: 'fetch', message: `Fetching ${source.file}`, fraction: bytes / source.bytes });
  };
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException & { code: string } {
  return error instanceof Error && 'syscall' in error && 'code' in error && typeof error.code === 'string';
}
