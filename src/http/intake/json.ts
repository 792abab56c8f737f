import type { FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { Value } from 'typebox/value';
import { KaomonError } from '../../platform/errors.js';
import type { App } from '../app-type.js';
import { checkJson, type JsonLimits } from './json-scan.js';
import { parseInSlices, textOf } from './json-slices.js';

const LIMITS: JsonLimits = { fields: 1000, values: 25_000, depth: 32, bytes: 1_000_000 };
/** Lists of more bytes are parsed in slices. */
const LARGE = 200_000;
/** To say what is wrong with a body, this many entries of each list and object are examined. */
const EXAMINED = 100;

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * Most values in a JSON body, where the default is too few; each may take 20 bytes outside of strings. Such a body is
     * parsed in slices.
     */
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
    const { jsonValues } = request.routeOptions.config;
    const values = jsonValues ?? LIMITS.values;
    const limits = { ...LIMITS, values, bytes: Math.max(LIMITS.bytes, values * 20) };
    const fail = (cause: unknown) => {
      const isOurs = cause instanceof KaomonError;
      done(
        isOurs ? cause : new KaomonError('BODY_UNREADABLE', 'The request body is not valid JSON.', { cause }),
      );
    };
    if (jsonValues !== undefined && bytes.length > LARGE && !isSuspicious(bytes)) {
      parseInSlices(bytes, limits, request.gone).then((value) => done(null, value), fail);
      return;
    }
    try {
      if (empty && bytes.length === 0) done(null, undefined);
      else {
        checkJson(bytes, limits);
        const text = textOf(bytes, 0, bytes.length);
        // Fastify's parser, which refuses names that reach into a prototype, is slower: only where there may be some.
        if (text.length === 0 || isSuspicious(bytes)) void careful(request, text, done);
        else done(null, JSON.parse(text));
      }
    } catch (cause) {
      fail(cause);
    }
  });
}

function isSuspicious(bytes: Buffer): boolean {
  return bytes.includes('__proto__') || bytes.includes('constructor') || bytes.includes('\\u');
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
