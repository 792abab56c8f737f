/** What the server takes for an ID. */
const ID = /^[0-9A-Za-z_][0-9A-Za-z_.]{0,63}$/;
/** Leaves room for the number that tells namesakes apart. */
const LONGEST = 56;

/** Latin letters that do not fall apart into a plain letter and an accent. */
const PLAIN: Readonly<Record<string, string>> = {
  ...{ ß: 'ss', æ: 'ae', œ: 'oe', ø: 'o', ł: 'l', đ: 'd', ð: 'd', þ: 'th', ı: 'i', ħ: 'h' },
};

/** Whether the server takes a text as an ID. */
export function isId(text: string): boolean {
  return ID.test(text);
}

/**
 * The ID that a name gives: `José Núñez` gives `jose_nunez`.
 * @returns undefined for a name with letters that have no place in an ID: a part of `山田 Taro` would be everybody's
 */
export function idFromName(name: string): string | undefined {
  // Compatibility forms too: a Japanese keyboard writes Latin letters in full width.
  const plain = name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^\0-\x7f]/gu, (letter) => PLAIN[letter] ?? letter);
  if (/[^\0-\x7f]/u.test(plain.replace(/[^\p{L}\p{N}]/gu, ''))) return undefined;
  const words = plain.split(/[^0-9a-z]+/).filter((word) => word !== '');
  const id = words.join('_').slice(0, LONGEST);
  return id === '' ? undefined : id;
}

/** The ID of a person whose name gives none. @param number from 1 */
export function countedId(number: number): string {
  return `p${String(number).padStart(4, '0')}`;
}

/**
 * IDs for a new person, best first: namesakes are told apart by a number.
 * @param count people in the group
 */
export function* newIds(name: string, count: number): Generator<string> {
  const id = idFromName(name);
  if (id !== undefined) yield id;
  for (let n = 0; ; n++) yield id === undefined ? countedId(count + 1 + n) : `${id}_${n + 2}`;
}
