import { decodeEvent } from './event-text.js';
import type { LoggedEvent } from './log.js';
import { formatPlace, type Line, type Place } from './segments.js';

/** The events of some lines of a segment. */
export interface LoggedLines {
  entries: LoggedEvent[];
  /** Behind the last line, or behind the seal: the beginning of the segment that it names. */
  next: Place;
  /** The text of lines that are no events. */
  others: string[];
}

/** @param lines in order, the first of them at or behind `from` */
export function toLoggedLines(lines: readonly Line[], from: Place): LoggedLines {
  const entries: LoggedEvent[] = [];
  const others: string[] = [];
  let next = from;
  for (const line of lines) {
    if (line.seal !== undefined) return { entries, next: { segment: line.seal, offset: 0 }, others };
    const before = formatPlace(next);
    next = { segment: from.segment, offset: line.end };
    const event = decodeEvent(line.text);
    if (event) entries.push({ id: formatPlace(next), before, event });
    else others.push(line.text);
  }
  return { entries, next, others };
}
