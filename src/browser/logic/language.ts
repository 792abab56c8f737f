import { EN, type Words } from './words/en.js';
import { JA } from './words/ja.js';

export const LANGUAGES = ['en', 'ja'] as const;
export type Language = (typeof LANGUAGES)[number];

const WORDS: Record<Language, Words> = { en: EN, ja: JA };

export function wordsOf(language: Language): Words {
  return WORDS[language];
}

/**
 * The language of the pages: the one chosen with the switch, else the first of the browser's that we have, else English.
 * @param chosen what this browser remembers, if anything
 * @param wanted the browser's languages in order of preference
 */
export function chooseLanguage(chosen: string | null, wanted: readonly string[]): Language {
  const known = (tag: string) => LANGUAGES.find((language) => tag.toLowerCase().split('-')[0] === language);
  return known(chosen ?? '') ?? wanted.map(known).find((language) => language !== undefined) ?? 'en';
}

/** The text that a page's HTML names in `data-t`; undefined when there is none, or it is not a plain text. */
export function textOf(words: Words, key: string): string | undefined {
  const text = (words as unknown as Record<string, unknown>)[key];
  return typeof text === 'string' ? text : undefined;
}
