import type { Language } from './language.js';
import type { Words } from './words/en.js';

/** How many strangers would come as near, as the server tells it. */
export interface Odds {
  /** Of a million; null: the pack was not measured, or nobody is enrolled. */
  odds: number | null;
  /** So many or fewer. */
  oddsAtMost: boolean;
}

/** What the server says of the threshold in force. */
export interface ThresholdMeaning {
  identical: number;
  sure: number;
  faces: number;
  by: 'faces' | 'limit' | 'setting' | 'pack';
  /** The part of strangers who are given a name at most, 0 to 1; null: nobody measured it. */
  falseNames: number | null;
  pairs: number | null;
  beyondPairs: boolean;
}

/** Odds of at most so many in a million are sure: one in 10,000. */
export const SURE_ODDS = 100;

/** A whole number cut to two digits, downwards: 4,367 is 4,300. */
export function cut(value: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, value))) - 1);
  // A hair more: 1e6 / 10 of a number that was rounded in binary.
  return Math.floor((value * (1 + 1e-9)) / unit) * unit;
}

/** A count as people of the language write it: 20,000 in English, 2万 in Japanese. */
export function formatCount(value: number, language: Language): string {
  return language === 'ja'
    ? value.toLocaleString('ja', { notation: 'compact', maximumSignificantDigits: 4 })
    : value.toLocaleString(language);
}

/** Which of the sentences says the odds, and its number. */
function pick({ odds, oddsAtMost }: Odds): { how: 'often' | 'oneIn' | 'fewer'; times: number } | undefined {
  if (odds === null || odds <= 0) return undefined;
  const times = cut(1e6 / odds);
  if (times >= 2) return { how: oddsAtMost ? 'fewer' : 'oneIn', times };
  // "Fewer than every one" would say nothing.
  return oddsAtMost ? undefined : { how: 'often', times: 2 };
}

/** `1 in 20,000 strangers`, `fewer than 1 in 4,300 strangers`; undefined where nothing can be told. */
export function sayOdds(odds: Odds, words: Words, language: Language): string | undefined {
  const picked = pick(odds);
  return picked && words.odds[picked.how](formatCount(picked.times, language));
}

/** The same as a sentence. */
export function explainOdds(odds: Odds, words: Words, language: Language): string | undefined {
  const picked = pick(odds);
  return picked && words.oddsExplained[picked.how](formatCount(picked.times, language));
}

/** What the threshold in force means: how many of so many strangers are given a name. */
export function explainThreshold(
  { faces, by, falseNames, pairs, beyondPairs }: ThresholdMeaning,
  words: Words,
  language: Language,
): string {
  const say = (value: number) => formatCount(value, language);
  const fixed = by === 'setting' ? [words.thresholdFixed] : [];
  if (falseNames === null) return [...fixed, words.thresholdNotMeasured].join(words.sentenceSpace);
  if (faces === 0) return [...fixed, words.thresholdNobody].join(words.sentenceSpace);
  const [named, of] =
    falseNames >= 0.1
      ? [Math.ceil(falseNames * 100 - 1e-9), 100]
      : [1, Math.floor((1 / falseNames) * (1 + 1e-9))];
  const means = words.thresholdMeans(say(named), say(cut(of)), faces, say(faces));
  const limit = by === 'limit' ? [words.thresholdLimit] : [];
  const beyond = beyondPairs && pairs !== null ? [words.thresholdBeyond(say(pairs))] : [];
  return [...fixed, means, ...limit, ...beyond].join(words.sentenceSpace);
}
