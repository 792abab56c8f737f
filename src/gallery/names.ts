/** Names of people and groups: which are allowed, when two are equal, and how they are searched. */
import { KaomonError } from '../platform/errors.js';

/**
 * Not allowed in a name: control characters and line ends, marks that change the direction of the text around them, lone
 * surrogates, and the replacement character of wrongly decoded text.
 */
const FORBIDDEN = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffd]/u;

/**
 * A name as it is stored, in NFC, so that names that look the same are equal: a Mac writes `é` as two characters, others
 * as one.
 */
export const normaliseName = (name: string): string => name.normalize('NFC');

/**
 * Normalises a new name.
 * @param field of the request, for the message
 * @throws KaomonError FIELD_INVALID
 */
export function checkName(name: string, field: string): string {
  const normalised = normaliseName(name);
  if (!FORBIDDEN.test(normalised)) return normalised;
  throw new KaomonError(
    'FIELD_INVALID',
    `The field "${field}" holds control characters, marks of direction or half a character: leave them out.`,
    { details: { field } },
  );
}

/** Letters that Unicode does not decompose into a plain letter and a mark. */
const PLAIN = new Map(
  Object.entries({ ß: 'ss', æ: 'ae', œ: 'oe', ø: 'o', ł: 'l', đ: 'd', ð: 'd', þ: 'th', ı: 'i' }),
);
/** Distance between a katakana and its hiragana in Unicode. */
const KANA = 0x60;

/**
 * The form in which texts are searched: it ignores case, full and half width, accents, and the difference of katakana and
 * hiragana. Voiced kana stay voiced.
 */
export function searchKey(text: string): string {
  // Most names are ASCII, and this takes a tenth of the time.
  if (/^[\x20-\x7e]*$/.test(text)) return text.toLowerCase().trim();
  return text
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .normalize('NFC')
    .toLowerCase()
    .replace(/[ßæœøłđðþı]/g, (letter) => PLAIN.get(letter) ?? letter)
    .replace(/[\u30a1-\u30f6]/g, (kana) => String.fromCharCode(kana.charCodeAt(0) - KANA))
    .trim();
}
