import type { Language } from './language.js';
import { EN, type Words } from './words/en.js';
import { JA } from './words/ja.js';

const WORDS: Record<Language, Words> = { en: EN, ja: JA };

/** For the build and for tests, which need every language; a page loads its own (lib/i18n.ts). */
export function wordsOf(language: Language): Words {
  return WORDS[language];
}

/** The text that a page's HTML names in `data-t`; undefined when there is none, or it is not a plain text. */
export function textOf(words: Words, key: string): string | undefined {
  const text = (words as unknown as Record<string, unknown>)[key];
  return typeof text === 'string' ? text : undefined;
}
