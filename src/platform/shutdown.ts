import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from './log.js';

/** In-flight requests get this long to end by themselves, milliseconds; pm2 and systemd wait longer (30 s, 60 s). */
const PATIENCE = 15_000;

interface Part {
  name: string;
  close: () => Promise<void>;
  /** Makes a close that is under way wait for nobody outside this process. */
  hurry?: () => void;
}

/** Ends this process in order; see {@link createShutdown}. */
export type Shutdown = ReturnType<typeof createShutdown>;

/**
 * Ends a process part by part, the last one opened first. `exit` comes only after every part is closed: in the middle
 * of a run of a network ONNX Runtime aborts the process (exit 134), so nothing shortens that wait.
 * @param exit ends the process
 * @param patience milliseconds after which outside parties are cut off
 */
export function createShutdown(
  log: Pick<Logger, 'info' | 'error'>,
  exit: (code: number) => void,
  patience = PATIENCE,
) {
  const parts: Part[] = [];
  let starting: Promise<unknown> = Promise.resolve();
  let ending: Promise<void> | undefined;
  let code = 0;

  const hurry = () => {
    for (const part of parts) part.hurry?.();
  };

  async function run(): Promise<void> {
    // A half-open part cannot be closed: let the start come to its end first.
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
    /** Says what must settle before anything can be closed. */
    after(start: Promise<unknown>): void {
      starting = start;
    },
    /** Whether the end has been asked for: a start need not go on. */
    asked: (): boolean => ending !== undefined,
    /** Closes everything, then exits; a second call hurries the first. The worst exit code asked for is taken. */
    end(exitCode: number): Promise<void> {
      code = Math.max(code, exitCode);
      if (ending) hurry();
      ending ??= run();
      return ending;
    },
  };
}

/** What was written may take so long to get out, milliseconds: a log that nobody reads any more must not hold the end. */
const LAST_WORDS = 2_000;

/**
 * Ends this process once what it has said is out. `process.exitCode` alone ends none that holds a channel to a parent,
 * as a worker of pm2 does; and pm2 writes what its workers say after they have said it.
 */
export async function leave(code: number): Promise<never> {
  const said = [process.stdout, process.stderr].map(
    (stream) => new Promise<void>((resolve) => stream.write('', () => resolve())),
  );
  await Promise.race([Promise.all(said), sleep(LAST_WORDS)]);
  process.exit(code);
}

/** Ends in order on SIGINT and SIGTERM (again: hurries), and after an error that nobody caught. */
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
      // `--unhandled-rejections=strict` (ecosystem.config.js) tells of one fault by both: the second would hurry.
      if (err !== undefined && err === last) return;
      last = err;
      log.fatal({ err }, 'A fault nobody caught: ending');
      void shutdown.end(1);
    });
  }
}
