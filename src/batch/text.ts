/** Decodes text in an unknown encoding, as spreadsheets write it: detected or refused, never guessed. */
import { TextDecoder } from 'node:util';
import { KaomonError } from '../platform/errors.js';

/** Readable names of encodings. `--encoding` takes any that `TextDecoder` knows. */
const TITLES: Partial<Record<string, string>> = {
  'utf-8': 'UTF-8',
  'utf-16le': 'UTF-16 (little-endian)',
  'utf-16be': 'UTF-16 (big-endian)',
  shift_jis: 'Shift_JIS',
  'windows-1252': 'Windows-1252',
};
/** How many bytes are examined to detect the encoding: enough of a list of many thousand rows. */
const EXAMINED = 1 << 20;

export interface DecodedText {
  text: string;
  /** Its readable name. */
  encoding: string;
}

/**
 * Decodes a text by its byte order mark, or by the encoding its bytes fit: UTF-8, UTF-16 (where every other byte of ASCII
 * text is 0), or Shift_JIS and Windows-1252, where the text reads as names in one and not in the other.
 * @param asked an encoding that `TextDecoder` knows, instead of detecting one
 * @throws KaomonError SETUP when the encoding cannot be detected, is not known, or is not the text's
 */
export function decodeText(bytes: Uint8Array, asked?: string): DecodedText {
  if (asked !== undefined) return decodeAs(asked, bytes);
  const [a, b, c, d] = bytes;
  if ((a === 0x50 && b === 0x4b) || (a === 0xd0 && b === 0xcf)) {
    throw new KaomonError('SETUP', 'This is a spreadsheet workbook: save it as CSV (UTF-8).');
  }
  if (a === 0xef && b === 0xbb && c === 0xbf) return decodeAs('utf-8', bytes);
  if (a === 0xff && b === 0xfe && !(c === 0 && d === 0)) return decodeAs('utf-16le', bytes);
  if (a === 0xfe && b === 0xff) return decodeAs('utf-16be', bytes);
  if (bytes.subarray(0, EXAMINED).includes(0)) return decodeAs(wideEncoding(bytes), bytes);
  const utf8 = tryDecode('utf-8', bytes);
  if (utf8 !== undefined) return { text: utf8, encoding: 'UTF-8' };
  const isJapanese = japaneseScore(bytes) > 0;
  const isWestern = westernScore(bytes.subarray(0, EXAMINED)) > 0;
  if (isJapanese === isWestern) refuse();
  return decodeAs(isJapanese ? 'shift_jis' : 'windows-1252', bytes);
}

function refuse(): never {
  throw new KaomonError(
    'SETUP',
    'Its encoding cannot be detected: save it as UTF-8 ("CSV UTF-8" in a spreadsheet), or name it, as in ' +
      '--encoding windows-1252.',
  );
}

function tryDecode(encoding: string, bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function decodeAs(label: string, bytes: Uint8Array): DecodedText {
  let decoder: TextDecoder;
  try {
    decoder = new TextDecoder(label, { fatal: true });
  } catch (cause) {
    throw new KaomonError('SETUP', `There is no encoding "${label}".`, { cause });
  }
  const { encoding } = decoder;
  try {
    const text = decoder.decode(bytes);
    return {
      text: encoding === 'windows-1252' ? fixWestern(text) : text,
      encoding: TITLES[encoding] ?? encoding,
    };
  } catch (cause) {
    throw new KaomonError('SETUP', `It is not ${TITLES[encoding] ?? encoding} throughout.`, { cause });
  }
}

/** Windows-1252 from 0x80 to 0x9F, which Node 20 decodes as the control characters of ISO 8859-1. */
const WESTERN = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';
const fixWestern = (text: string) =>
  text.replace(/[\x80-\x9f]/g, (one) => WESTERN[one.charCodeAt(0) - 0x80] ?? one);

/** UTF-16's byte order, by which byte of its ASCII characters is 0. */
function wideEncoding(bytes: Uint8Array): string {
  const zeros = [0, 0];
  const end = Math.min(bytes.length, EXAMINED);
  for (let i = 0; i < end; i += 1) if (bytes[i] === 0) zeros[i % 2] += 1;
  if (Math.max(...zeros) < 4 * Math.min(...zeros)) refuse();
  return zeros[1] > zeros[0] ? 'utf-16le' : 'utf-16be';
}

const JAPANESE = /[\u3005\u3040-\u30ff\u4e00-\u9fff]/;
const LETTER = /[A-Za-z]/;

/**
 * Counts Japanese characters next to each other, as in names, less those next to Latin letters, which the accents of a
 * Western text become. 0 or less when it is not Shift_JIS.
 */
function japaneseScore(bytes: Uint8Array): number {
  const text = tryDecode('shift_jis', bytes);
  // Characters for private use are not in names.
  if (text === undefined || /[\ue000-\uf8ff]/.test(text)) return 0;
  // EUC-JP is also valid Shift_JIS, as half-width katakana.
  if (tryDecode('euc-jp', bytes) !== undefined) return 0;
  let score = 0;
  const end = Math.min(text.length, EXAMINED);
  for (let i = 1; i < end; i += 1) {
    const [before, here] = [text[i - 1], text[i]];
    const [isBefore, isHere] = [JAPANESE.test(before), JAPANESE.test(here)];
    if (isBefore && isHere) score += 1;
    else if ((isBefore && LETTER.test(here)) || (isHere && LETTER.test(before))) score -= 1;
  }
  return score;
}

const isAsciiLetter = (byte: number | undefined) =>
  byte !== undefined && (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;
/** Letters of Windows-1252 beyond ASCII. */
const isAccented = (byte: number) => byte >= 0xc0 && byte !== 0xd7 && byte !== 0xf7;
/** Windows-1252's apostrophe, and its letters below 0xC0. */
const WITHIN_WORDS = new Set([0x92, 0x8a, 0x8c, 0x8e, 0x9a, 0x9c, 0x9e, 0x9f]);

/**
 * Counts accented letters within words of plain ones, less what names do not have: symbols, and three or more accented
 * letters in a row, as from Cyrillic or EUC-JP. 0 or less when it is not Windows-1252.
 */
function westernScore(bytes: Uint8Array): number {
  let score = 0;
  let run = 0;
  for (const [i, byte] of bytes.entries()) {
    run = byte >= 0x80 ? run + 1 : 0;
    if (byte < 0x80) continue;
    const isInWord = isAsciiLetter(bytes[i - 1]) || isAsciiLetter(bytes[i + 1]);
    if (run >= 3) score -= 3;
    else if (isAccented(byte) && isInWord) score += 1;
    else if (WITHIN_WORDS.has(byte)) score += byte === 0x92 && isInWord ? 1 : 0;
    else score -= 1;
  }
  return score;
}
