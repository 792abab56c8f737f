import { KaomonError, throwIfGone, tooLarge } from '../../platform/errors.js';
import { nextTurn } from '../../platform/turns.js';

/** Characters that are decoded in one turn of the event loop: about a millisecond. A multiple of 4. */
const SLICE = 524_288;
/** Longest prefix that ends in a comma, such as `data:image/jpeg;charset=utf-8;base64,`, characters. */
const MAX_PREFIX = 300;

const SPACES = /[\t\n\f\r ]+/g;
const ALPHABET = /^[A-Za-z0-9+/_-]*$/;
const PADDING = /^={0,2}$/;

export interface Base64Options {
  /** Most bytes that may come out. */
  maxBytes: number;
  /** The request's field, for the error. */
  field?: string;
  /** Aborted when nobody waits for the bytes any longer. */
  signal?: AbortSignal;
}

/**
 * Decodes base64, for every surface: the usual alphabet or the URL-safe one, padded or not, with spaces, tabs and line
 * breaks anywhere, bare or behind `data:...,` (in any case). It takes time in proportion to the text's length, and
 * decodes in slices, so that a large text holds up nobody else.
 * @returns bytes in a buffer of their own, which can be handed over to a vision thread
 * @throws KaomonError IMAGE_UNREADABLE, UPLOAD_TOO_LARGE, CLIENT_GONE
 */
export async function decodeBase64(text: string, options: Base64Options): Promise<Uint8Array> {
  const { maxBytes, signal } = options;
  const from = prefixLength(text, options);
  const room = Math.min(maxBytes, Math.ceil(((text.length - from) * 3) / 4));
  // Not from Node's pool.
  const bytes = Buffer.from(new ArrayBuffer(room));
  let length = 0;
  /** Up to three characters left over, that wait for the fourth. */
  let rest = '';
  let padding = '';
  for (let at = from; at < text.length; at += SLICE) {
    if (at > from) await nextTurn();
    throwIfGone(signal);
    const slice = text.slice(at, at + SLICE).replace(SPACES, '');
    const end = padding === '' ? slice.indexOf('=') : 0;
    if (end >= 0) padding += slice.slice(end);
    const coded = rest + (end < 0 ? slice : slice.slice(0, end));
    if (!ALPHABET.test(coded) || !PADDING.test(padding)) throw unreadable(options);
    const whole = coded.length - (coded.length % 4);
    if (length + (whole / 4) * 3 > maxBytes) throw tooLarge('The picture is', maxBytes);
    length += bytes.write(coded.slice(0, whole), length, 'base64');
    rest = coded.slice(whole);
  }
  if (rest.length === 1) throw unreadable(options);
  const last = Math.floor((rest.length * 3) / 4);
  if (length + last > maxBytes) throw tooLarge('The picture is', maxBytes);
  length += bytes.write(rest, length, 'base64');
  return new Uint8Array(length === room ? bytes.buffer : bytes.buffer.slice(0, length));
}

/** How many characters come before the base64 itself. */
function prefixLength(text: string, options: Base64Options): number {
  const head = text.slice(0, MAX_PREFIX);
  if (!head.trimStart().slice(0, 5).toLowerCase().startsWith('data:')) return 0;
  const comma = head.indexOf(',');
  if (comma < 0) throw unreadable(options);
  return comma + 1;
}

function unreadable({ field }: Base64Options): KaomonError {
  const what = field === undefined ? 'The picture' : `The picture in "${field}"`;
  return new KaomonError('IMAGE_UNREADABLE', `${what} is not base64: send it with or without "data:".`, {
    details: field === undefined ? undefined : { field },
  });
}
