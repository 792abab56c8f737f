import type { Sighting } from '../logic/visits.js';
import { make } from './dom.js';
import { formatDate, words } from './i18n.js';
import type { Person } from './people-api.js';
import { listSightings } from './sightings-api.js';
import { timeOfVisit } from './visit-time.js';

/** Visits that are shown of somebody; the others are a link away. */
const SHOWN = 4;

/** When somebody was seen last, and where. @param last their newest visit */
export function lastSeenText(last: Sighting | undefined): string {
  if (!last) return words.neverSeenHere;
  return last.isOpen ? words.hereNow(last.deviceid) : words.lastVisit(formatDate(last.last), last.deviceid);
}

/** The address of the page about somebody. */
export const pageOf = (faceid: string): string => `/people/${encodeURIComponent(faceid)}`;

/** When somebody was seen last, and where, with their last visits. Nothing where the server keeps no visits. */
export function showVisits({ faceid }: Person): HTMLElement {
  const section = make('section', { className: 'person-visits', hidden: true });
  listSightings({ faceid, limit: SHOWN + 1 }).then(
    ({ sightings }) => {
      const last = sightings.at(0);
      const rows = sightings.slice(0, SHOWN).map((visit) => {
        const { deviceid } = visit;
        return make('li', {}, timeOfVisit(visit, true), ...(deviceid === '' ? [] : [` · ${deviceid}`]));
      });
      section.append(
        make('h3', {}, words.lastVisits),
        make('p', { className: 'last-seen' }, lastSeenText(last)),
        ...(rows.length > 1 ? [make('ul', {}, ...rows)] : []),
        ...(last ? [make('a', { href: pageOf(faceid) }, words.showVisits)] : []),
      );
      section.hidden = false;
    },
    // Visits are not kept, or the server is away, which the page says.
    () => undefined,
  );
  return section;
}
