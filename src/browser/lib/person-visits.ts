import { writeTodayView } from '../logic/today-view.js';
import { make } from './dom.js';
import { formatDate, words } from './i18n.js';
import type { Person } from './people-api.js';
import { listSightings } from './sightings-api.js';
import { timeOfVisit } from './visit-time.js';

/** Visits that are shown of somebody; the others are a link away. */
const SHOWN = 4;

/** When somebody was seen last, and where. Nothing where the server keeps no visits. */
export function showVisits({ faceid }: Person): HTMLElement {
  const section = make('section', { className: 'person-visits', hidden: true });
  listSightings({ faceid, limit: SHOWN + 1 }).then(
    ({ sightings }) => {
      const last = sightings.at(0);
      const view = { show: 'visits', day: 'all', who: faceid, group: '', camera: '' } as const;
      const rows = sightings.slice(0, SHOWN).map((visit) => {
        const { deviceid } = visit;
        return make('li', {}, timeOfVisit(visit, true), ...(deviceid === '' ? [] : [` · ${deviceid}`]));
      });
      const summary = !last
        ? words.neverSeenHere
        : last.isOpen
          ? words.hereNow(last.deviceid)
          : words.lastVisit(formatDate(last.last), last.deviceid);
      section.append(
        make('h3', {}, words.lastVisits),
        make('p', { className: 'last-seen' }, summary),
        ...(rows.length > 1 ? [make('ul', {}, ...rows)] : []),
        ...(last ? [make('a', { href: `/today${writeTodayView(view)}` }, words.showVisits)] : []),
      );
      section.hidden = false;
    },
    // Visits are not kept, or the server is away, which the page says.
    () => undefined,
  );
  return section;
}
