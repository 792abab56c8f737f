import type { Multipart } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import { KaomonError } from '../../platform/errors.js';

/** What a form besides its picture may take, bytes: texts, headers, boundaries. */
const FORM_OVERHEAD = 65_536;

/** The largest form with so many files, bytes. */
export function formLimit(maxBytes: number, files = 1): number {
  return files * maxBytes + FORM_OVERHEAD;
}

export interface FormOptions {
  /** The field that holds a file, or several such fields; in memory afterwards. */
  file: string | readonly string[];
  /** The fields that are text. Others are ignored. */
  texts: readonly string[];
  /** Largest file, bytes. */
  maxBytes: number;
}

/** A form as the routes' schemas see it: texts, and the file as bytes that nothing else refers to. */
type Form = Record<string, string | Uint8Array>;

/**
 * Makes a `preValidation` hook that reads a multipart form, its fields in any order, into `request.body`, where the
 * route's schema checks it; without a form the body is empty. The form is read to its end even when it is refused: an
 * answer in mid-upload would be lost with the connection.
 * @throws (the hook) KaomonError UPLOAD_TOO_LARGE, BODY_UNREADABLE, FIELD_INVALID
 */
export function readForm({ file, texts, maxBytes }: FormOptions) {
  const files = typeof file === 'string' ? [file] : file;
  return async function readFormIntoBody(request: FastifyRequest): Promise<void> {
    const tooLarge = () =>
      new KaomonError(
        'UPLOAD_TOO_LARGE',
        `The upload is too large: at most ${maxBytes} bytes are taken. Send a smaller picture.`,
        { details: { maxBytes } },
      );
    // Refused before a byte is read; a body that does not say its length is stopped by the limit on the file.
    const declared = Number(request.headers['content-length'] ?? 0);
    if (declared > formLimit(maxBytes, files.length)) throw tooLarge();
    const form: Form = {};
    request.body = form;
    if (!request.isMultipart()) return;

    let refusal: KaomonError | undefined;
    try {
      for await (const part of request.parts()) {
        const name = part.fieldname;
        const expected = files.includes(name) || texts.includes(name);
        if (expected) refusal ??= refusePart(part, form, files);
        if (!expected || refusal) {
          if (part.type === 'file') part.file.resume();
        } else if (part.type === 'file') {
          const bytes = await part.toBuffer();
          // A browser sends an empty file for an input that nobody filled.
          if (bytes.length > 0) form[name] = bytes;
          if (part.file.truncated) refusal = tooLarge();
        } else {
          form[name] = part.value as string;
        }
      }
    } catch (cause) {
      if (cause instanceof KaomonError) throw cause;
      refusal ??= new KaomonError(
        'BODY_UNREADABLE',
        'The form is malformed or cut off: send it again as multipart/form-data.',
        { cause },
      );
    }
    if (refusal) throw refusal;
  };
}

/** Why a part cannot be taken, or undefined. */
function refusePart(part: Multipart, form: Form, files: readonly string[]): KaomonError | undefined {
  const refuse = (what: string) =>
    new KaomonError('FIELD_INVALID', `The field "${part.fieldname}" ${what}.`, {
      details: { field: part.fieldname },
    });
  if (part.fieldname in form) return refuse('may be given once only');
  if (files.includes(part.fieldname)) {
    return part.type === 'file' ? undefined : refuse('must be sent as a file');
  }
  if (part.type === 'file' || typeof part.value !== 'string') return refuse('must be text, not a file');
  if (part.valueTruncated) return refuse('is too long');
  return undefined;
}
