import type { Sighting } from '../logic/visits.js';
import { formatDate, formatTime, words } from './i18n.js';

/** Who it is, as a card says it. */
export function nameOfVisit({ person }: Pick<Sighting, 'person'>): string {
  return person ? person.username || person.userid : words.unknownFace;
}

/** When it was: from the first frame to the last. */
export function timeOfVisit({ first, last, isOpen }: Sighting, withDate: boolean): string {
  const begin = withDate ? formatDate(first) : formatTime(new Date(first));
  if (isOpen) return words.hereSince(begin);
  const end = formatTime(new Date(last));
  return formatTime(new Date(first)) === end ? begin : words.fromTo(begin, end);
}
