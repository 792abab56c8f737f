import { throwIfGone } from '../../platform/errors.js';
import { nextTurn } from '../../platform/turns.js';
import type { App } from '../app-type.js';

/** Lists, objects, texts and numbers that are serialised in one go: well under a millisecond. */
const LIGHT = 2000;
/** How much text is made between two looks at the clock, characters. */
const CHUNK = 65_536;
/** How long a slice takes, milliseconds. */
const SLICE = 2;

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * The answer may be large: it is then serialised in slices, so that nobody else waits for it. Only for handlers whose
     * answers have no more fields than their schema, which does not filter such an answer.
     */
    slices?: true;
  }
}

/** Serialises the large answers of routes that say so (`config.slices`) in slices of the event loop. */
export function registerSlices(app: App): void {
  app.addHook('preSerialization', async (request, reply, payload) => {
    if (!request.routeOptions.config.slices || isLight(payload)) return payload;
    const json = await toJsonInSlices(payload, request.gone);
    reply.serializer((made: unknown) => made as string);
    return json;
  });
}

/** Whether a value has few parts. Looks at no more than {@link LIGHT} of them. */
function isLight(value: unknown): boolean {
  return countParts(value, LIGHT) > 0;
}

/** @returns what is left of `most`, 0 or less when the value has more parts */
function countParts(value: unknown, most: number): number {
  if (typeof value !== 'object' || value === null) return most - 1;
  let left = most - 1;
  const parts: unknown[] = Array.isArray(value) ? value : Object.values(value);
  for (let at = 0; at < parts.length && left > 0; at++) left = countParts(parts[at], left);
  return left;
}

/** The JSON of a value, piece by piece. */
function* piecesOf(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null || isLight(value)) {
    yield JSON.stringify(value ?? null);
  } else if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++) {
      yield at === 0 ? '[' : ',';
      yield* piecesOf(value[at]);
    }
    yield ']';
  } else {
    let before = '{';
    for (const [name, part] of Object.entries(value)) {
      if (part === undefined) continue;
      yield `${before}${JSON.stringify(name)}:`;
      yield* piecesOf(part);
      before = ',';
    }
    yield '}';
  }
}

/** @throws KaomonError CLIENT_GONE */
async function toJsonInSlices(value: unknown, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let text = '';
  let begun = performance.now();
  for (const piece of piecesOf(value)) {
    text += piece;
    if (text.length < CHUNK) continue;
    chunks.push(Buffer.from(text));
    text = '';
    if (performance.now() - begun < SLICE) continue;
    await nextTurn();
    throwIfGone(signal);
    begun = performance.now();
  }
  chunks.push(Buffer.from(text));
  return Buffer.concat(chunks);
}
