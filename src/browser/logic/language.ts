import { EN, type Words } from './words/en.js';
import { JA } from './words/ja.js';

export const LANGUAGES = ['en', 'ja'] as const;
export type Language = (typeof LANGUAGES)[number];

const WORDS: Record<Language, Words> = { en: EN, ja: JA };

export function wordsOf(language: Language): Words {
  return WORDS[language];
}

/**
 * The language of the pages: the one that was chosen by the switch, else the browser's first that there is.
 * @param chosen what was remembered, if anything
 * @param wanted the browser's languages in order of preference
 */
export function chooseLanguage(chosen: string | null, wanted: readonly string[]): Language {
  const known = (tag: string) => LANGUAGES.find((language) => tag.toLowerCase().split('-')[0] === language);
  return known(chosen ?? '') ?? wanted.map(known).find((language) => language !== undefined) ?? 'en';
}

/** The keys whose words are plain text, which a page's HTML may name in `data-t`. */
export type TextKey = { [K in keyof Words]: Words[K] extends string ? K : never }[keyof Words];

/** @returns the text of a key, or undefined when there is none or it needs more to be said */
export function textOf(words: Words, key: string): string | undefined {
  const text = (words as unknown as Record<string, unknown>)[key];
  return typeof text === 'string' ? text : undefined;
}
