import { isAscii } from 'node:buffer';
import type { FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { Value } from 'typebox/value';
import { KaomonError } from '../../platform/errors.js';
import type { App } from '../app-type.js';

/**
 * What a JSON body may consist of, apart from the content of its strings. Parsing and checking a body of 12 MB takes 15 ms
 * when it is one picture, and half a minute when it is a million fields: a limit on the size alone is not enough.
 */
const LIMITS = { fields: 1000, values: 25_000, depth: 32, bytes: 1_000_000 };
/** To say what is wrong with a body, this many entries of each list and object are examined. */
const EXAMINED = 100;

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Most values in a JSON body, where the default is too few; each may take 20 bytes outside of strings. */
    jsonValues?: number;
  }
}

/**
 * The parser of `application/json`, for an app or a part of one.
 * @param options `empty`: an empty body counts as none, instead of as an error
 */
export function registerJson(app: App, { empty = false } = {}): void {
  const careful = app.getDefaultJsonParser('error', empty ? 'ignore' : 'error');
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const bytes = body as Buffer;
    const values = request.routeOptions.config.jsonValues ?? LIMITS.values;
    try {
      if (empty && bytes.length === 0) done(null, undefined);
      else {
        checkJson(bytes, { ...LIMITS, values, bytes: Math.max(LIMITS.bytes, values * 20) });
        const text = isAscii(bytes) ? bytes.toString('latin1') : bytes.toString('utf8');
        // Fastify's parser, which refuses names that reach into a prototype, is slower: only where there may be some.
        if (text.length === 0 || isSuspicious(bytes)) void careful(request, text, done);
        else done(null, JSON.parse(text));
      }
    } catch (cause) {
      const isOurs = cause instanceof KaomonError;
      done(
        isOurs ? cause : new KaomonError('BODY_UNREADABLE', 'The request body is not valid JSON.', { cause }),
      );
    }
  });
}

function isSuspicious(bytes: Buffer): boolean {
  return bytes.includes('__proto__') || bytes.includes('constructor') || bytes.includes('\\u');
}

/** Does not check whether it is JSON. @throws KaomonError FIELD_INVALID when a text has too many parts */
export function checkJson(bytes: Buffer, limits: typeof LIMITS): void {
  let [fields, values, depth, outside] = [0, 0, 0, 0];
  for (let at = 0; at < bytes.length; at++) {
    outside += 1;
    const byte = bytes[at];
    if (byte === QUOTE) at = endOfText(bytes, at);
    else if (byte === COMMA) values += 1;
    else if (byte === COLON) fields += 1;
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) depth += 1;
    else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth -= 1;
    if (fields > limits.fields) refuse(`more than ${limits.fields} fields`);
    if (values > limits.values) refuse(`more than ${limits.values} values`);
    if (depth > limits.depth) refuse(`lists in lists more than ${limits.depth} deep`);
    if (outside > limits.bytes) refuse(`more than ${limits.bytes} bytes besides its texts`);
  }
}

/** @returns the index of a string's closing quote, or the end */
function endOfText(bytes: Buffer, start: number): number {
  for (let end = bytes.indexOf(QUOTE, start + 1); end >= 0; end = bytes.indexOf(QUOTE, end + 1)) {
    let before = end - 1;
    while (bytes[before] === BACKSLASH) before -= 1;
    if ((end - before) % 2 === 1) return end;
  }
  return bytes.length;
}

function refuse(what: string): never {
  throw new KaomonError('FIELD_INVALID', `The JSON of this request has ${what}, which is too much.`, {
    details: { field: 'body' },
  });
}

/**
 * Like TypeBox's own, but to say what is wrong with a value it examines only the beginning of each list and object.
 * TypeBox would make an error of each of a million entries, of which the first is answered.
 */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const check = Compile(schema);
  return (value: unknown) => {
    const converted = httpPart === 'body' ? value : Value.Convert(schema, value);
    if (check.Check(converted)) return { value: converted };
    const long: string[] = [];
    const errors = check.Errors(shorten(converted, '', long));
    // Fastify takes them for AJV's.
    return { error: (errors.length > 0 ? errors : [tooLong(long)]) as unknown as Error };
  };
};

/** A value with only the first entries of each list and object. @param long gets the paths of those that had more */
function shorten(value: unknown, path: string, long: string[]): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  const entries = Object.entries(value);
  if (entries.length > EXAMINED) long.push(path);
  const first = entries
    .slice(0, EXAMINED)
    .map(([name, one]): [string, unknown] => [name, shorten(one, `${path}/${name}`, long)]);
  return Array.isArray(value) ? first.map(([, one]) => one) : Object.fromEntries(first);
}

function tooLong([instancePath = '']: readonly string[]) {
  const message = `has too many entries, or a wrong one after the first ${EXAMINED}`;
  return { keyword: 'maxItems', schemaPath: '', instancePath, params: {}, message };
}
