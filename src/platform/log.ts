import { type LevelWithSilent, type Logger, type LoggerOptions, pino } from 'pino';
import { PinoPretty } from 'pino-pretty';
import { quietError, quietMessage } from './quiet-error.js';

export type { Logger } from 'pino';

/** For every logger: errors, in whatever field, are written without what libraries attach to them. */
export const QUIET_ERRORS = {
  serializers: { err: quietError },
  formatters: {
    log: (fields) =>
      Object.values(fields).some((value) => value instanceof Error)
        ? Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, quietField(name, value)]))
        : fields,
  },
  // Without a message, pino would use the error's as it is.
  hooks: {
    logMethod(given, write) {
      const [first, message, ...more] = given as unknown[];
      const fields = first instanceof Error ? { err: first } : first;
      const { err } = (fields ?? {}) as { err?: unknown };
      const said = message ?? (err instanceof Error ? quietMessage(err) : undefined);
      const rest = [said, ...more].map((value) => (value instanceof Error ? quietMessage(value) : value));
      write.apply(this, [fields, ...rest] as Parameters<typeof write>);
    },
  },
} satisfies LoggerOptions;

/** `err` is left to the serializer. */
function quietField(name: string, value: unknown): unknown {
  return value instanceof Error && name !== 'err' ? quietError(value) : value;
}

/**
 * The program's log, on standard output: readable on a terminal, one JSON object a line elsewhere. Written
 * synchronously, so that nothing is lost when the process ends. Neither pictures nor vectors are ever logged.
 * @param terminal whether it goes to a terminal
 */
export function createLogger(level: LevelWithSilent, terminal: boolean): Logger {
  if (!terminal) return pino({ ...QUIET_ERRORS, level, base: { pid: process.pid } });
  return pino(
    { ...QUIET_ERRORS, level },
    PinoPretty({ sync: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss' }),
  );
}
