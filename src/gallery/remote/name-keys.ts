/** By which texts somebody is found in the index of names, which knows beginnings only. */
import { splitFaceId } from '../ids.js';
import { searchKey } from '../names.js';

/** Characters of an entry: who types more looks for somebody who was found already. */
const LONGEST = 48;
/** Entries of a text. */
const MOST = 24;
/** Between the text and the faceid; below all that a name may hold. */
export const SEPARATOR = '\0';

const BETWEEN = /[\s_.,;:/()'"-]/;
/** Japanese and Chinese names have no spaces, so that every character may begin one. */
const isLatin = (character: string): boolean => character < '\u0250';

/** The texts from each beginning of a word on; in writing without spaces from each character on. */
function beginnings(text: string): string[] {
  const characters = Array.from(searchKey(text));
  const found: string[] = [];
  for (let at = 0; at < characters.length && found.length < MOST; at++) {
    if (BETWEEN.test(characters[at])) continue;
    const isBeginning =
      at === 0 ||
      BETWEEN.test(characters[at - 1]) ||
      !isLatin(characters[at]) ||
      !isLatin(characters[at - 1]);
    if (isBeginning) found.push(characters.slice(at, at + LONGEST).join(''));
  }
  return found;
}

/** The entries of a person. */
export function nameEntries(faceid: string, username: string): string[] {
  const userid = splitFaceId(faceid)?.userid ?? '';
  const texts = new Set([...beginnings(username), ...beginnings(userid)]);
  return [...texts].map((text) => `${text}${SEPARATOR}${faceid}`);
}

/** What to look for: as it stands in entries. */
export const nameQuery = (search: string): string => Array.from(searchKey(search)).slice(0, LONGEST).join('');

/** The faceid of an entry. */
export const ownerOfEntry = (entry: string): string => entry.slice(entry.lastIndexOf(SEPARATOR) + 1);

/** Whether somebody is found by a text: as the index would answer. */
export const isNamed = (query: string, faceid: string, username: string): boolean =>
  nameEntries(faceid, username).some((entry) => entry.startsWith(query));
