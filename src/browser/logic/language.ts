export const LANGUAGES = ['en', 'ja'] as const;
export type Language = (typeof LANGUAGES)[number];

/**
 * The language of the pages: the one chosen with the switch, else the first of the browser's that we have, else English.
 * @param chosen what this browser remembers, if anything
 * @param wanted the browser's languages in order of preference
 */
export function chooseLanguage(chosen: string | null, wanted: readonly string[]): Language {
  const known = (tag: string) => LANGUAGES.find((language) => tag.toLowerCase().split('-')[0] === language);
  return known(chosen ?? '') ?? wanted.map(known).find((language) => language !== undefined) ?? 'en';
}
