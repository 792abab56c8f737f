import { make } from './dom.js';
import { formatDate, words } from './i18n.js';
import type { Person } from './people-api.js';
import type { Group } from './person-fields.js';

/** What tells people of the same name apart. */
export function facts(person: Person, groups: readonly Group[]): HTMLElement {
  const name = groups.find(({ groupid }) => groupid === person.groupid)?.groupname ?? person.groupid;
  const since =
    person.enrolledAt === null ? words.noPicturesYet : words.enrolledOn(formatDate(person.enrolledAt));
  return make(
    'p',
    { className: 'facts' },
    make('span', {}, `${name} · ${person.userid}`),
    make('span', {}, `${words.picturesCount(person.faces)} · ${since}`),
  );
}
