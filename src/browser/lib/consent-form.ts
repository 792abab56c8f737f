import { make } from './dom.js';
import { formatDay, words } from './i18n.js';
import { changePerson, type Consent, CONSENT_WAYS, type Person } from './people-api.js';
import { field } from './person-fields.js';
import { smallForm } from './small-form.js';

/** One line about a person's consent. */
function describe(consent: Consent | null | undefined): string {
  if (!consent) return words.consentNone;
  const { how, given, until, state } = consent;
  const what = words.consentGiven(words.consentWays[how], formatDay(given));
  if (until === undefined) return what;
  const end =
    state === 'expiring' ? words.consentEnds(formatDay(until)) : words.consentUntil(formatDay(until));
  return `${what} · ${end}`;
}

/**
 * What is recorded of a person's consent, and for whom may change people how to record it.
 * @param onSaved told of what the server has
 */
export function showConsent(
  person: Person,
  mayEdit: boolean,
  onSaved: (changed: Person) => void,
): HTMLElement {
  const { consent } = person;
  const line = make(
    'p',
    { className: `facts${consent?.state === 'expiring' ? ' fault' : ''}` },
    describe(consent),
  );
  const root = make('section', { id: 'consent' }, make('h3', {}, words.consent), line);
  const more = [consent?.note, consent && words.consentBy(consent.by)].filter(Boolean).join(' · ');
  if (more !== '') root.append(make('p', { className: 'facts' }, more));
  if (!mayEdit) return root;

  const today = new Date().toISOString().slice(0, 10);
  const given = make('input', { id: 'consent-given', type: 'date', required: true });
  given.value = consent?.given ?? today;
  const how = make('select', { id: 'consent-how' });
  how.append(...CONSENT_WAYS.map((way) => make('option', { value: way }, words.consentWays[way])));
  how.value = consent?.how ?? 'form';
  const until = make('input', { id: 'consent-until', type: 'date', min: today });
  until.value = consent?.until ?? '';
  const note = make('input', { id: 'consent-note', maxLength: 500, value: consent?.note ?? '' });
  const save = async (change: Parameters<typeof changePerson>[1]) =>
    onSaved(await changePerson(person.faceid, change));
  const controls = [
    field(words.consentHow, how),
    field(words.consentDay, given),
    field(words.consentLast, until, words.consentLastHint),
    field(words.consentNote, note, words.consentNoteHint),
  ];
  const form = smallForm('', controls, words.save, () =>
    save({
      consent: {
        given: given.value,
        how: how.value as Consent['how'],
        ...(until.value !== '' && { until: until.value }),
        ...(note.value.trim() !== '' && { note: note.value.trim() }),
      },
    }),
  );
  const details = make(
    'details',
    { className: 'more' },
    make('summary', {}, consent ? words.consentChange : words.consentRecord),
    form,
  );
  if (consent) details.append(smallForm('', [], words.consentRemove, () => save({ consent: null })));
  root.append(details);
  return root;
}
