import type { Sighting } from '../logic/visits.js';
import { formatDate, formatSpan, formatTime, words } from './i18n.js';

/** Who it is, as a card says it. */
export function nameOfVisit({ person }: Pick<Sighting, 'person'>): string {
  return person ? person.username || person.userid : words.unknownFace;
}

/** When it was: from the first frame to the last. */
export function timeOfVisit({ first, last, isOpen }: Sighting, withDate: boolean): string {
  const begin = formatTime(new Date(first));
  if (isOpen) return words.hereSince(withDate ? formatDate(first) : begin);
  if (withDate) return formatSpan(first, last);
  const end = formatTime(new Date(last));
  return begin === end ? begin : words.fromTo(begin, end);
}
