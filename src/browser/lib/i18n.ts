import { chooseLanguage, type Language, LANGUAGES, textOf, wordsOf } from '../logic/language.js';
import { recall, remember } from './dom.js';

/** The language of this page. */
export const language: Language = chooseLanguage(recall('language'), navigator.languages);

/** The page's texts in that language. */
export const words = wordsOf(language);

/**
 * Fills in the texts of a page's HTML: `data-t` names an element's text, `data-t-label` its accessible name and
 * `data-t-placeholder` its placeholder.
 */
export function translate(root: ParentNode = document): void {
  const each = (name: string, set: (found: HTMLElement, text: string) => void) => {
    for (const found of root.querySelectorAll<HTMLElement>(`[${name}]`)) {
      const text = textOf(words, found.getAttribute(name) ?? '');
      if (text !== undefined) set(found, text);
    }
  };
  each('data-t', (found, text) => (found.textContent = text));
  each('data-t-label', (found, text) => found.setAttribute('aria-label', text));
  each('data-t-placeholder', (found, text) => found.setAttribute('placeholder', text));
}

/** The language that the switch offers. */
export function otherLanguage(): Language {
  return LANGUAGES[(LANGUAGES.indexOf(language) + 1) % LANGUAGES.length];
}

/** Remembers a language and reloads the page in it. */
export function switchLanguage(to: Language): void {
  remember('language', to);
  location.reload();
}

export function formatDate(iso: string): string {
  return new Date(iso).toLocaleString(language, { dateStyle: 'medium', timeStyle: 'short' });
}

/** The time of day, as 10:42. @param at milliseconds since 1970 */
export function formatTime(at: number): string {
  return new Date(at).toLocaleTimeString(language, { hour: '2-digit', minute: '2-digit' });
}

export function formatNumber(value: number, digits = 0): string {
  return value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
