import { type LevelWithSilent, type Logger, pino } from 'pino';
import { PinoPretty } from 'pino-pretty';

export type { Logger } from 'pino';

/**
 * The program's log, on standard output: readable on a terminal, one JSON object a line elsewhere. Written
 * synchronously, so that nothing is lost when the process ends. Neither pictures nor vectors are ever logged.
 * @param terminal somebody reads along
 */
export function createLogger(level: LevelWithSilent, terminal: boolean): Logger {
  if (!terminal) return pino({ level, base: { pid: process.pid } });
  return pino({ level }, PinoPretty({ sync: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss' }));
}
