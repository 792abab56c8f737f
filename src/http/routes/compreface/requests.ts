import type { FastifyRequest } from 'fastify';
import { parse } from 'node:querystring';
import { Type } from 'typebox';
import { KaomonError } from '../../../errors.js';
import { requireGroupAccess } from '../../access.js';
import { readForm } from '../../form.js';
import { MAX_SUBJECT } from './subject-names.js';

/** What a body besides its pictures may take, bytes. */
const OVERHEAD = 65_536;

/** A query's parameters for everything that looks at a picture. */
export const LookSchema = {
  limit: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 10_000, description: 'Largest faces first; 0: all of them.' }),
  ),
  det_prob_threshold: Type.Optional(
    Type.Number({ minimum: 0, maximum: 1, description: 'Least probability of a detection.' }),
  ),
  face_plugins: Type.Optional(
    Type.String({
      maxLength: 200,
      description:
        'Of `age`, `gender`, `landmarks`, `calculator`, `pose`, separated by commas; others are ignored.',
    }),
  ),
  status: Type.Optional(Type.Boolean({ description: 'Add `execution_time` and `plugins_versions`.' })),
  detect_faces: Type.Optional(
    Type.Boolean({ description: 'Taken and ignored: faces are always looked for.' }),
  ),
};
export const SubjectSchema = Type.String({
  minLength: 1,
  maxLength: MAX_SUBJECT,
  pattern: '\\S',
  description: 'Any text.',
});
export const ImageIdSchema = Type.Object({ image_id: Type.String({ minLength: 1, maxLength: 64 }) });

/**
 * A `preValidation` hook that reads the query as CompreFace does: an empty parameter is one that was not given,
 * `True` is true, and `?` between two parameters stands for `&` (its JavaScript SDK writes so).
 */
export function readQuery(request: FastifyRequest): Promise<void> {
  const [, query = ''] = /\?(.*)$/s.exec(request.raw.url ?? '') ?? [];
  const mended = query.replace(
    /\?(?=(?:limit|det_prob_threshold|prediction_count|face_plugins|status|detect_faces)=)/g,
    '&',
  );
  const given: Record<string, string> = {};
  for (const [name, value] of Object.entries(parse(mended))) {
    const text = Array.isArray(value) ? value[0] : (value ?? '');
    const boolean = name === 'status' || name === 'detect_faces';
    if (text !== '') given[name] = boolean ? text.toLowerCase() : text;
  }
  request.query = given;
  return Promise.resolve();
}

/** The largest body of a route that takes so many pictures: base64 takes 4 bytes for 3. */
export function bodyLimitOf(pictures: number, maxBytes: number): number {
  return Math.ceil((pictures * maxBytes * 4) / 3) + OVERHEAD;
}

/**
 * A `preValidation` hook that turns a form's files, or JSON's base64 texts, into bytes in `request.body`.
 * @param names of the pictures' fields
 * @throws (the hook) KaomonError as readForm; IMAGE_UNREADABLE
 */
export function readPictures(names: readonly string[], maxBytes: number) {
  const readFiles = readForm({ file: names, texts: [], maxBytes });
  return async function readPicturesIntoBody(request: FastifyRequest): Promise<void> {
    if (request.isMultipart()) {
      await readFiles(request);
      return;
    }
    const given = (request.body ?? {}) as Record<string, unknown>;
    const pictures: Record<string, unknown> = {};
    for (const name of names) {
      if (given[name] !== undefined && given[name] !== null)
        pictures[name] = fromBase64(name, given[name], maxBytes);
    }
    request.body = pictures;
  };
}

function fromBase64(field: string, text: unknown, maxBytes: number): Uint8Array {
  const refuse = () =>
    new KaomonError('IMAGE_UNREADABLE', `The field "${field}" is not a picture as base64.`, {
      details: { field },
    });
  if (typeof text !== 'string') throw refuse();
  // Spaces go first: a pattern that lets them stand anywhere takes time by the square of the text (39 s for 200 kB).
  const encoded = text.replace(/^\s*data:[^,]{0,100},/i, '').replace(/\s+/g, '');
  if (!/^[0-9A-Za-z+/_-]+={0,2}$/.test(encoded)) throw refuse();
  const pooled = Buffer.from(encoded, 'base64');
  if (pooled.length > maxBytes) {
    throw new KaomonError(
      'UPLOAD_TOO_LARGE',
      `The picture is too large: at most ${maxBytes} bytes are taken.`,
      {
        details: { maxBytes },
      },
    );
  }
  return new Uint8Array(pooled);
}

/**
 * The group that is the caller's face collection: in CompreFace each key has one of its own, so a key that is tied to
 * a single group has that one; others have the group of the settings.
 * @throws KaomonError FORBIDDEN when the key is tied to several groups and that one is not among them
 */
export function collectionOf(request: FastifyRequest, configured: string): string {
  const { groups } = request.caller;
  if (groups?.size === 1) return [...groups][0];
  requireGroupAccess(request, configured);
  return configured;
}
