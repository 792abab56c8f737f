import { isAscii } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { throwIfGone } from '../../platform/errors.js';
import { nextTurn } from '../../platform/turns.js';
import { type JsonLimits, scanJson } from './json-scan.js';

/** How long a slice takes, milliseconds. */
const SLICE = 2;
/** More text than that around the lists, characters, is no body of lists. */
const MOST_AROUND = 1_000_000;

/**
 * Checks and parses a large JSON text that is mostly lists of numbers, in slices of the event loop, so that nobody else
 * waits for it: list after list, then what is around them. The value is that of `JSON.parse`, which it is left to where
 * there is much around the lists.
 * @param bytes not to be changed until it resolves
 * @throws SyntaxError; KaomonError FIELD_INVALID as `scanJson`, CLIENT_GONE
 */
export async function parseInSlices(
  bytes: Buffer,
  limits: JsonLimits,
  signal: AbortSignal,
): Promise<unknown> {
  const lists: unknown[] = [];
  const around: string[] = [];
  // Nobody can have written this name into the body.
  const name = randomUUID();
  let length = 0;
  let from = 0;
  const keep = (to: number) => {
    around.push(textOf(bytes, from, to));
    length += to - from;
  };
  let begun = performance.now();
  for (const list of scanJson(bytes, limits)) {
    if (list) {
      keep(list.from);
      around.push(`{"${name}":${lists.length}}`);
      lists.push(JSON.parse(textOf(bytes, list.from, list.to)));
      from = list.to;
    }
    if (performance.now() - begun < SLICE) continue;
    await nextTurn();
    throwIfGone(signal);
    begun = performance.now();
  }
  keep(bytes.length);
  if (length > MOST_AROUND) return JSON.parse(textOf(bytes, 0, bytes.length));
  return JSON.parse(around.join(''), (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null) return value;
    const at = (value as Record<string, unknown>)[name];
    return typeof at === 'number' ? lists[at] : value;
  });
}

/** Bytes as text: of ASCII, which JSON nearly always is, several times faster. */
export function textOf(bytes: Buffer, from: number, to: number): string {
  const part = bytes.subarray(from, to);
  return part.toString(isAscii(part) ? 'latin1' : 'utf8');
}
