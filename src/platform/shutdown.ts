import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from './log.js';

/** Requests in flight get this long to finish, milliseconds; pm2 and systemd wait longer (30 s, 60 s). */
const PATIENCE = 15_000;

interface Part {
  name: string;
  close: () => Promise<void>;
  /** Makes a close in progress stop waiting for anybody outside this process. */
  hurry?: () => void;
}

/** Ends this process in order; see {@link createShutdown}. */
export type Shutdown = ReturnType<typeof createShutdown>;

/**
 * Ends a process part by part, the last opened first. It exits only when every part is closed: during a run of a
 * network ONNX Runtime would abort the process (exit 134), so nothing shortens that wait.
 * @param exit ends the process
 * @param patience milliseconds after which clients are cut off
 */
export function createShutdown(
  log: Pick<Logger, 'info' | 'error'>,
  exit: (code: number) => void,
  patience = PATIENCE,
) {
  const parts: Part[] = [];
  let starting: Promise<unknown> = Promise.resolve();
  let ending: Promise<void> | undefined;
  const asked = new AbortController();
  let code = 0;

  const hurry = () => {
    for (const part of parts) part.hurry?.();
  };

  async function run(): Promise<void> {
    // A part that is still being opened cannot be closed: let the start finish first.
    await starting.catch(() => undefined);
    const timer = setTimeout(hurry, patience);
    for (const { name, close } of [...parts].reverse()) {
      try {
        await close();
      } catch (err) {
        log.error({ err }, `Closing the ${name} failed`);
        code = 1;
      }
    }
    clearTimeout(timer);
    exit(code);
  }

  return {
    /** Registers something that has been opened. */
    add(part: Part): void {
      parts.push(part);
    },
    /** Sets what must settle before anything can be closed. */
    after(start: Promise<unknown>): void {
      starting = start;
    },
    /** Whether the end was requested, so that a start need not go on. */
    asked: (): boolean => ending !== undefined,
    /** Aborted when the end is requested, for the parts of a start that take long. */
    signal: asked.signal,
    /** Closes everything, then exits; a second call hurries the first. The largest exit code counts. */
    end(exitCode: number): Promise<void> {
      code = Math.max(code, exitCode);
      if (ending) hurry();
      ending ??= run();
      asked.abort();
      return ending;
    },
  };
}

/** How long output may take to be flushed, milliseconds: a log that nobody reads any more must not delay the end. */
const LAST_WORDS = 2_000;

/**
 * Ends this process once its output is flushed. `process.exitCode` alone does not end a process with a channel to its
 * parent, such as a pm2 worker, whose output pm2 writes later.
 */
export async function leave(code: number): Promise<never> {
  const said = [process.stdout, process.stderr].map(
    (stream) => new Promise<void>((resolve) => stream.write('', () => resolve())),
  );
  await Promise.race([Promise.all(said), sleep(LAST_WORDS)]);
  process.exit(code);
}

/** Ends in order on SIGINT and SIGTERM (again: hurries), and after an uncaught error. */
export function endOnSignals(shutdown: Shutdown, log: Pick<Logger, 'info' | 'fatal'>): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      log.info(shutdown.asked() ? 'Cutting connections off' : `${signal}: finishing what is in flight`);
      void shutdown.end(0);
    });
  }
  let last: unknown;
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (err: unknown) => {
      // `--unhandled-rejections=strict` (ecosystem.config.js) reports one fault by both events: the second would hurry.
      if (err !== undefined && err === last) return;
      last = err;
      log.fatal({ err }, 'Uncaught error: ending');
      void shutdown.end(1);
    });
  }
}
