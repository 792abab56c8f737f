import { certaintyOf, nameOf, type Thresholds } from '../logic/faces.js';
import { explainOdds } from '../logic/odds.js';
import type { ShownFace } from '../logic/box-motion.js';
import { call, messageOf } from './api.js';
import { type OpenDialog, openDialog } from './dialog.js';
import { make } from './dom.js';
import { enrolPicture } from './enrol.js';
import { formatDate, formatNumber, language, words } from './i18n.js';
import { createPersonFields } from './person-fields.js';
import { toast } from './toast.js';

interface PersonFacts {
  faces: number;
  enrolledAt: string | null;
}

/** A description list. */
function rows(...entries: [term: string, description: Node | string][]): HTMLDListElement {
  const list = make('dl', { className: 'rows' });
  for (const [term, description] of entries) list.append(make('dt', {}, term), make('dd', {}, description));
  return list;
}

/** Shows who a face is: since when enrolled, with how many pictures, how near. */
export function openKnownFace(
  { identity }: ShownFace,
  thresholds: Thresholds | undefined,
  onClosed: () => void,
): void {
  const { level, part } = certaintyOf(identity, thresholds);
  const since = make('span', {}, words.reading);
  const pictures = make('span', {}, words.reading);
  const { distance } = identity;
  const odds = explainOdds(identity, words, language);
  const meter = make('meter', { min: 0, max: 1, value: part, ariaLabel: words[level] });
  const measured = make(
    'details',
    {},
    make('summary', {}, words.details),
    rows(
      [words.distance, distance === null ? '–' : formatNumber(distance, 3)],
      [words.namedBelow, thresholds ? formatNumber(thresholds.identical, 2) : '–'],
      [words.certainBelow, thresholds ? formatNumber(thresholds.sure, 2) : '–'],
    ),
  );
  const dialog = openDialog(
    nameOf(identity),
    [
      make('p', { className: 'certainty', data: { level } }, words[level], meter),
      ...(odds === undefined ? [] : [make('p', { className: 'odds' }, odds)]),
      rows(
        [words.group, identity.groupname ?? identity.groupid ?? ''],
        [words.userid, identity.userid ?? ''],
        [words.enrolledSince, since],
        [words.pictures, pictures],
      ),
      measured,
    ],
    onClosed,
  );
  dialog.root.classList.add('who');
  call<PersonFacts>('GET', `/api/v1/people/${identity.faceid}`).then(
    ({ faces, enrolledAt }) => {
      since.textContent = enrolledAt === null ? '–' : formatDate(enrolledAt);
      pictures.textContent = words.picturesCount(faces);
    },
    (error: unknown) => {
      since.textContent = '–';
      pictures.textContent = messageOf(error);
    },
  );
}

/**
 * Offers to enrol an unknown face right where it was seen.
 * @param picture the face with a margin around it, as it was when it was tapped
 */
export function openUnknownFace(picture: Blob, onClosed: () => void): void {
  const address = URL.createObjectURL(picture);
  const fields = createPersonFields();
  const outcome = make('p', { className: 'outcome', role: 'status' });
  const submit = make('button', { type: 'submit', className: 'primary large', id: 'enrol' }, words.enrolHere);
  const form = make('form', { noValidate: true }, fields.root, submit, outcome);
  const preview = make('img', { src: address, alt: words.unknownFace, className: 'preview' });
  const dialog = openDialog(
    words.whoIsThis,
    [make('div', { className: 'enrol-here' }, preview, form)],
    () => {
      URL.revokeObjectURL(address);
      onClosed();
    },
  );
  dialog.root.classList.add('who');
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (!fields.check()) return;
    submit.disabled = true;
    outcome.className = 'outcome';
    outcome.textContent = words.enrolling;
    enrolFrom(fields, picture, dialog)
      .catch((error: unknown) => {
        outcome.className = 'outcome bad';
        outcome.textContent = messageOf(error);
      })
      .finally(() => (submit.disabled = false));
  });
  fields.username.focus();
  fields.fill().catch((error: unknown) => (outcome.textContent = messageOf(error)));
}

async function enrolFrom(
  fields: ReturnType<typeof createPersonFields>,
  picture: Blob,
  dialog: OpenDialog,
): Promise<void> {
  const person = await fields.read();
  const enrolled = await enrolPicture(person, picture);
  if (!enrolled) {
    dialog.body.querySelector('.outcome')?.replaceChildren();
    return;
  }
  dialog.close();
  const { already, name } = enrolled;
  toast(already ? words.enrolledAlready(name) : words.enrolled(name), { kind: 'good' });
}
