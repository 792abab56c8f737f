/** Names of people and groups: which there may be, when two are one, and how they are searched for. */
import { KaomonError } from '../platform/errors.js';

/**
 * What a name may not hold: control characters and line ends, the marks that turn the direction of what stands beside
 * them, halves of a character, and what a wrongly decoded text has in the place of one.
 */
const FORBIDDEN = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffd]/u;

/**
 * A name as it is kept. What looks the same is the same: a Mac writes `é` as two characters, others as one.
 * @returns NFC
 */
export const normaliseName = (name: string): string => name.normalize('NFC');

/**
 * A new name, as it is kept.
 * @param field that it came in
 * @throws KaomonError FIELD_INVALID
 */
export function checkName(name: string, field: string): string {
  const kept = normaliseName(name);
  if (!FORBIDDEN.test(kept)) return kept;
  throw new KaomonError(
    'FIELD_INVALID',
    `The field "${field}" holds control characters, marks of direction or half a character: leave them out.`,
    { details: { field } },
  );
}

/** Letters that do not come apart into a plain one and a mark. */
const PLAIN: Partial<Record<string, string>> = {
  ...{ ß: 'ss', æ: 'ae', œ: 'oe', ø: 'o', ł: 'l', đ: 'd', ð: 'd', þ: 'th', ı: 'i' },
};
/** From katakana to hiragana. */
const KANA = 0x60;

/**
 * What of a text is searched: small and capital letters, full and half width, letters with and without accents, and
 * katakana and hiragana are the same. Voiced kana stay voiced.
 */
export function searchKey(text: string): string {
  // Most are, and cost a tenth.
  if (/^[\x20-\x7e]*$/.test(text)) return text.toLowerCase().trim();
  return text
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .normalize('NFC')
    .toLowerCase()
    .replace(/[ßæœøłđðþı]/g, (letter) => PLAIN[letter] ?? letter)
    .replace(/[\u30a1-\u30f6]/g, (kana) => String.fromCharCode(kana.charCodeAt(0) - KANA))
    .trim();
}
