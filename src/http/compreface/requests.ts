import type { FastifyRequest } from 'fastify';
import { parse } from 'node:querystring';
import { Type } from 'typebox';
import { covers } from '../../access/roles.js';
import { KaomonError } from '../../platform/errors.js';
import { requireGroupAccess } from '../access.js';
import { decodeBase64 } from '../intake/base64.js';
import { base64Limit, formIntoBody } from '../intake/form.js';
import { MAX_SUBJECT } from './subject-names.js';

/** Parameters that are true or false, in any case of letters. */
const BOOLEANS = new Set(['status', 'detect_faces', 'force']);

/** Parameters of everything that analyses a picture. */
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
  pattern: /\S/.source,
  description: 'Any text.',
});
export const EmbeddingSchema = Type.Array(Type.Number(), { minItems: 1, maxItems: 4096 });
export const EmbeddingsSchema = Type.Array(EmbeddingSchema, { minItems: 1, maxItems: 1000 });
/** 1,000 embeddings of 4,096 numbers in JSON would be 80 MB; these are 1,000 of 512. */
export const EMBEDDINGS_BYTES = 12_000_000;
/** The numbers of these, and a few more. */
export const EMBEDDINGS_VALUES = 520_000;
export const ImageIdSchema = Type.Object({ image_id: Type.String({ minLength: 1, maxLength: 64 }) });

/**
 * A `preValidation` hook that reads the query as CompreFace does: an empty parameter counts as not given, `True` is true,
 * and `?` between two parameters stands for `&`, as its JavaScript SDK writes it.
 */
export function readQuery(request: FastifyRequest): Promise<void> {
  const { url = '' } = request.raw;
  const query = url.includes('?') ? url.slice(url.indexOf('?') + 1) : '';
  const repaired = query.replace(
    /\?(?=(?:limit|det_prob_threshold|prediction_count|face_plugins|status|detect_faces)=)/g,
    '&',
  );
  const given: Record<string, string> = {};
  for (const [name, value] of Object.entries(parse(repaired))) {
    const text = Array.isArray(value) ? value[0] : (value ?? '');
    const boolean = BOOLEANS.has(name);
    if (text !== '') given[name] = boolean ? text.toLowerCase() : text;
  }
  request.query = given;
  return Promise.resolve();
}

/** The largest body of a route that takes so many pictures. */
export const bodyLimitOf = (pictures: number, maxBytes: number) => base64Limit(pictures * maxBytes);

/**
 * A `preValidation` hook that turns a form's files, or JSON's base64 texts, into bytes in `request.body`.
 * @param names of the pictures' fields
 * @throws (the hook) KaomonError as readForm and decodeBase64
 */
export function readPictures(names: readonly string[], maxBytes: number) {
  const readFiles = formIntoBody({ files: names, texts: [], maxBytes });
  return async function readPicturesIntoBody(request: FastifyRequest): Promise<void> {
    if (request.isMultipart()) {
      await readFiles(request);
      return;
    }
    const given = (request.body ?? {}) as Record<string, unknown>;
    const pictures: Record<string, unknown> = {};
    for (const name of names) {
      const text = given[name];
      if (text === undefined || text === null) continue;
      if (typeof text !== 'string') throw noPicture(name);
      const bytes = await decodeBase64(text, { maxBytes, field: name, signal: request.gone });
      if (bytes.length === 0) throw noPicture(name);
      pictures[name] = bytes;
    }
    request.body = pictures;
  };
}

function noPicture(field: string): KaomonError {
  return new KaomonError('IMAGE_UNREADABLE', `The field "${field}" is not a picture as base64.`, {
    details: { field },
  });
}

/**
 * The group that is the caller's face collection: in CompreFace each key has one of its own, so a key that is tied to
 * a single group has that one; others have the group of the settings.
 * @throws KaomonError FORBIDDEN when the key is tied to several groups and that one is not among them
 */
export function collectionOf(request: FastifyRequest, configured: string): string {
  const { groups } = request.caller;
  const groupid = groups?.size === 1 ? [...groups][0] : configured;
  // The request itself does not say which one it is: the audit must.
  request.audited.note({ groupid });
  requireGroupAccess(request, groupid);
  return groupid;
}

/** Whether the caller may make groups: the role that `POST /api/v1/groups` needs. */
export function mayMakeGroups({ caller }: Pick<FastifyRequest, 'caller'>): boolean {
  return covers(caller.role, 'admin');
}
