import type { Language } from './language.js';
import type { Words } from './words/en.js';

/** How many strangers would come as near, by the server's estimate. */
export interface Odds {
  /** Per million; null when the pack has no curve or nobody is enrolled. */
  odds: number | null;
  /** Whether `odds` is only an upper bound. */
  oddsAtMost: boolean;
}

/** What the server says about the threshold in force. */
export interface ThresholdMeaning {
  identical: number;
  sure: number;
  faces: number;
  by: 'faces' | 'limit' | 'setting' | 'pack' | 'chosen';
  /** Upper bound of the share of strangers who are given a name, 0 to 1; null when it was not measured. */
  falseNames: number | null;
  pairs: number | null;
  beyondPairs: boolean;
}

/** Up to these odds per million (1 in 10,000) a face counts as certain. */
export const SURE_ODDS = 100;

/** Rounds down to two significant digits: 4,367 becomes 4,300. */
export function roundDown(value: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, value))) - 1);
  // A trifle more, so that binary rounding does not turn 20,000 into 19,999.
  return Math.floor((value * (1 + 1e-9)) / unit) * unit;
}

/** A number as the language writes it: 20,000 in English, 2万 in Japanese. */
export function formatCount(value: number, language: Language): string {
  return language === 'ja'
    ? value.toLocaleString('ja', { notation: 'compact', maximumSignificantDigits: 4 })
    : value.toLocaleString(language);
}

/** Which text fits the odds, and the number in it. */
function chooseText({
  odds,
  oddsAtMost,
}: Odds): { how: 'often' | 'oneIn' | 'fewer'; times: number } | undefined {
  if (odds === null || odds <= 0) return undefined;
  const times = roundDown(1e6 / odds);
  if (times >= 2) return { how: oddsAtMost ? 'fewer' : 'oneIn', times };
  // "Fewer than 1 in 1" would say nothing.
  return oddsAtMost ? undefined : { how: 'often', times: 2 };
}

/** `1 in 20,000 strangers`, `fewer than 1 in 4,300 strangers`; undefined where nothing is known. */
export function describeOdds(odds: Odds, words: Words, language: Language): string | undefined {
  const text = chooseText(odds);
  return text && words.odds[text.how](formatCount(text.times, language));
}

/** The same as a sentence. */
export function explainOdds(odds: Odds, words: Words, language: Language): string | undefined {
  const text = chooseText(odds);
  return text && words.oddsExplained[text.how](formatCount(text.times, language));
}

/** What the threshold in force means: how many strangers in how many are given a name. */
export function explainThreshold(
  { faces, by, falseNames, pairs, beyondPairs }: ThresholdMeaning,
  words: Words,
  language: Language,
): string {
  const format = (value: number) => formatCount(value, language);
  const sentences: string[] = [];
  if (by === 'setting') sentences.push(words.thresholdFixed);
  if (by === 'chosen') sentences.push(words.thresholdChosen);
  if (falseNames === null) {
    sentences.push(words.thresholdNotMeasured);
  } else if (faces === 0) {
    sentences.push(words.thresholdNobody);
  } else {
    const often = falseNames >= 0.1;
    const named = often ? Math.ceil(falseNames * 100 - 1e-9) : 1;
    const of = often ? 100 : Math.floor((1 / falseNames) * (1 + 1e-9));
    sentences.push(words.thresholdMeans(format(named), format(roundDown(of)), faces, format(faces)));
    if (by === 'limit') sentences.push(words.thresholdLimit);
    if (beyondPairs && pairs !== null) sentences.push(words.thresholdBeyond(format(pairs)));
  }
  return sentences.join(words.sentenceSpace);
}
