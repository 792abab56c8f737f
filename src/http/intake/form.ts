import type { Multipart } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import { KaomonError, tooLarge } from '../../platform/errors.js';

/** What a body besides its pictures may take, bytes: texts, headers, boundaries. */
const OVERHEAD = 65_536;

/** The largest form with so many bytes of pictures. */
export const formLimit = (pictures: number) => pictures + OVERHEAD;

/** The largest body where they may come as base64 in JSON, too: 4 bytes for 3. */
export const base64Limit = (pictures: number) => Math.ceil((pictures * 4) / 3) + OVERHEAD;

/** A picture's bytes, which nothing else refers to, or why it cannot be taken. */
export type PictureInput = Uint8Array | KaomonError;

export interface FormFields {
  /** The fields that hold a picture. */
  files: readonly string[];
  /** The fields that hold text. All others are ignored. */
  texts: readonly string[];
  /** Largest picture, bytes. */
  maxBytes: number;
  /** How many pictures may come under one name. Default 1. */
  several?: number;
  /** All pictures together, bytes. Default: a largest one for each field. */
  together?: number;
}

interface FormPicture {
  field: string;
  picture: PictureInput;
}

/**
 * Reads a multipart form, its fields in any order: the texts into `request.body`, where the route's schema checks them.
 * Without a form the body is empty. The form is read to its end even when it is refused: an answer in mid-upload would be
 * lost with the connection.
 * @returns the pictures, in the order in which they came; one that is too large is an error in its place
 * @throws KaomonError UPLOAD_TOO_LARGE for all together, BODY_UNREADABLE, FIELD_INVALID
 */
export async function readForm(request: FastifyRequest, fields: FormFields): Promise<FormPicture[]> {
  const { files, texts, maxBytes, several = 1, together = files.length * maxBytes } = fields;
  const allTooLarge = () =>
    tooLarge(files.length * several > 1 ? 'The pictures together are' : 'The picture is', together);
  // Refused before a byte is read; a body that does not say its length is stopped by the limit on each file.
  if (Number(request.headers['content-length'] ?? 0) > formLimit(together)) throw allTooLarge();
  const body: Record<string, string> = {};
  request.body = body;
  const pictures: FormPicture[] = [];
  if (!request.isMultipart()) return pictures;

  let refusal: KaomonError | undefined;
  let length = 0;
  const refuse = (field: string, what: string) =>
    (refusal ??= new KaomonError('FIELD_INVALID', `The field "${field}" ${what}.`, { details: { field } }));

  async function takeFile(part: Extract<Multipart, { type: 'file' }>): Promise<void> {
    const { fieldname: field, file } = part;
    if (texts.includes(field)) refuse(field, 'must be text, not a file');
    else if (files.includes(field) && several === 1 && pictures.some((one) => one.field === field))
      refuse(field, 'may be given once only');
    if (refusal || !files.includes(field)) {
      file.resume();
      return;
    }
    const bytes = await part.toBuffer();
    length += bytes.length;
    if (length > together) refusal = allTooLarge();
    // A browser sends an empty file for an input that nobody filled.
    else if (bytes.length > 0)
      pictures.push({ field, picture: file.truncated ? tooLarge('The picture is', maxBytes) : bytes });
  }

  function takeText({
    fieldname: field,
    value,
    valueTruncated,
  }: Extract<Multipart, { type: 'field' }>): void {
    if (files.includes(field)) refuse(field, 'must be sent as a file');
    else if (!texts.includes(field)) return;
    else if (Object.hasOwn(body, field)) refuse(field, 'may be given once only');
    else if (valueTruncated) refuse(field, 'is too long');
    else if (typeof value !== 'string') refuse(field, 'must be text');
    else body[field] = value;
  }

  const limits = several > 1 ? { files: several, parts: several + 20 } : {};
  try {
    for await (const part of request.parts({ limits })) {
      if (part.type === 'file') await takeFile(part);
      else takeText(part);
    }
  } catch (cause) {
    if (cause instanceof KaomonError) throw cause;
    refusal ??= unreadable(cause, several);
  }
  if (refusal) throw refusal;
  return pictures;
}

/**
 * Makes a `preValidation` hook that reads a form as {@link readForm} does, its pictures into `request.body` as well.
 * @throws (the hook) KaomonError as readForm
 */
export function formIntoBody(fields: FormFields) {
  return async function readFormIntoBody(request: FastifyRequest): Promise<void> {
    const pictures = await readForm(request, fields);
    const body = request.body as Record<string, string | Uint8Array>;
    for (const { field, picture } of pictures) {
      if (picture instanceof KaomonError) throw picture;
      body[field] = picture;
    }
  };
}

function unreadable(cause: unknown, most: number): KaomonError {
  const { code } = cause as { code?: string };
  if (most > 1 && (code === 'FST_FILES_LIMIT' || code === 'FST_PARTS_LIMIT')) {
    return new KaomonError('FIELD_INVALID', `A request may bring at most ${most} pictures.`, {
      details: { field: 'image', maximum: most },
    });
  }
  return new KaomonError(
    'BODY_UNREADABLE',
    'The form is malformed or cut off: send it again as multipart/form-data.',
    { cause },
  );
}
