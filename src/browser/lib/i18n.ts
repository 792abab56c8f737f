import { type Language, LANGUAGES } from '../logic/language.js';
import type { Words } from '../logic/words/en.js';
import { recall, remember } from './dom.js';

/** The language that the server chose for this page, whose texts are in the HTML. */
export const language: Language =
  LANGUAGES.find((known) => known === document.documentElement.lang) ?? LANGUAGES[0];

/** The reader's own kind of it, which writes dates in its way: 27 Nov 2026 in en-GB. */
export const locale = navigator.languages.find((one) => one.split('-')[0] === language) ?? language;

/** The texts that this page uses, in that language: scripts/words.mjs. */
export const { words } = (await import(document.documentElement.dataset.words ?? '')) as { words: Words };

const cookie = (choice: Language) => `kaomon-language=${choice}`;
const isTold = (choice: Language) => document.cookie.split('; ').includes(cookie(choice));

/** Tells the server, which reads the cookie before it sends a page. */
function tell(choice: Language): void {
  const secure = location.protocol === 'https:' ? '; secure' : '';
  document.cookie = `${cookie(choice)}; path=/; max-age=31536000; samesite=lax${secure}`;
}

/**
 * A choice outlives its cookie, which some browsers drop after a week.
 * @returns whether the page is being loaded again, in the language that was chosen
 */
export function keepChosenLanguage(): boolean {
  const choice = LANGUAGES.find((known) => known === recall('language'));
  if (!choice) return false;
  const wasTold = isTold(choice);
  tell(choice);
  // Once: where the cookie does not reach the server, another time would change nothing.
  if (choice === language || wasTold || !isTold(choice)) return false;
  location.reload();
  return true;
}

/** The language that the switch offers. */
export function otherLanguage(): Language {
  return LANGUAGES[(LANGUAGES.indexOf(language) + 1) % LANGUAGES.length];
}

/** Remembers a language and reloads the page in it. */
export function switchLanguage(to: Language): void {
  remember('language', to);
  tell(to);
  location.reload();
}

/** Hours from 0 to 23, as the times of day beside them. */
const moments = new Intl.DateTimeFormat(locale, {
  ...{ dateStyle: 'medium', timeStyle: 'short', hourCycle: 'h23' },
});

/** A date and its time, as 27 Nov 2026, 10:42. */
export function formatDate(iso: string): string {
  return moments.format(new Date(iso));
}

/** From one moment to another; a date that both have is said once. */
export function formatSpan(from: string, to: string): string {
  return moments.formatRange(new Date(from), new Date(to));
}

/** @param day `YYYY-MM-DD` */
export function formatDay(day: string): string {
  return new Date(day).toLocaleDateString(locale, { dateStyle: 'medium', timeZone: 'UTC' });
}

/** The time of day, as 10:42. @param at a date, or milliseconds since 1970 */
export function formatTime(at: Date | number): string {
  return new Date(at).toLocaleTimeString(locale, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
}

export function formatNumber(value: number, digits = 0): string {
  return value.toLocaleString(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
