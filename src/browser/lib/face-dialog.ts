import { certaintyOf, type Identity, nameOf, type Thresholds } from '../logic/faces.js';
import { explainOdds } from '../logic/odds.js';
import { call, messageOf } from './api.js';
import { type OpenDialog, openDialog } from './dialog.js';
import { make } from './dom.js';
import { enrolPicture } from './enrol.js';
import { formatDate, formatNumber, language, words } from './i18n.js';
import { createPersonFields } from './person-fields.js';
import { toast } from './toast.js';
import { offerUndo } from './undo.js';

interface PersonFacts {
  faces: number;
  enrolledAt: string | null;
  thumbnail?: string | null;
}

/** A face that was tapped. */
export interface TappedFace {
  identity: Identity;
  /** The face with a margin around it, as it was seen; undefined when it has left. */
  picture: Blob | undefined;
  /** Whether this browser's key may enrol. */
  mayEnrol: boolean;
}

/** A description list. */
function rows(...entries: [term: string, description: Node | string][]): HTMLDListElement {
  const list = make('dl', { className: 'rows' });
  for (const [term, description] of entries) list.append(make('dt', {}, term), make('dd', {}, description));
  return list;
}

/** A picture with what it is. */
function shown(src: string, caption: string): HTMLElement {
  return make('figure', {}, make('img', { src, alt: '' }), make('figcaption', {}, caption));
}

/** Shows who a face is: the enrolled picture beside what is seen, how sure it is, and what can be done about it. */
export function openKnownFace(
  { identity, picture, mayEnrol }: TappedFace,
  thresholds: Thresholds | undefined,
  onClosed: () => void,
): void {
  const { level, part } = certaintyOf(identity, thresholds);
  const name = nameOf(identity);
  const since = make('span', {}, words.reading);
  const pictures = make('span', {}, words.reading);
  const { distance } = identity;
  const odds = explainOdds(identity, words, language);
  const meter = make('meter', { min: 0, max: 1, value: part, ariaLabel: words.levels[level] });
  const address = picture && URL.createObjectURL(picture);
  const compared = make('div', { className: 'compared' });
  const showEnrolled = (thumbnail: string | null | undefined) => {
    if (!thumbnail || compared.querySelector('.enrolled')) return;
    const figure = shown(thumbnail, words.enrolledPicture);
    figure.classList.add('enrolled');
    figure.querySelector('img')?.addEventListener('error', () => figure.remove());
    compared.prepend(figure);
  };
  if (address !== undefined) compared.append(shown(address, words.seenNow));
  showEnrolled(identity.thumbnail);
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
  const outcome = make('p', { className: 'outcome', role: 'status' });
  const buttons = make('div', { className: 'buttons' });
  const person = `/people?person=${encodeURIComponent(identity.faceid)}`;
  buttons.append(make('a', { className: 'button', href: person, id: 'to-person' }, words.showPerson));
  const dialog = openDialog(
    name,
    [
      compared,
      make('p', { className: 'certainty', data: { level } }, words.levels[level], meter),
      ...(odds === undefined ? [] : [make('p', { className: 'odds' }, odds)]),
      rows(
        [words.group, identity.groupname ?? identity.groupid ?? ''],
        [words.userid, identity.userid ?? ''],
        [words.enrolledSince, since],
        [words.pictures, pictures],
      ),
      measured,
      outcome,
      buttons,
    ],
    () => {
      if (address !== undefined) URL.revokeObjectURL(address);
      onClosed();
    },
  );
  dialog.root.classList.add('who');

  if (picture && mayEnrol) {
    const notThem = make('button', { type: 'button', id: 'not-this-person' }, words.notThisPerson);
    const add = make('button', { type: 'button', className: 'primary', id: 'add-view' }, words.addView);
    buttons.append(notThem, add);
    notThem.addEventListener('click', () => {
      dialog.close();
      sayNotThem(identity.faceid, name, picture);
      openUnknownFace({ identity, picture, mayEnrol }, () => undefined);
    });
    add.addEventListener('click', () => {
      add.disabled = true;
      say(outcome, words.addingView);
      addView(identity.faceid, picture).then(
        (already) => {
          say(outcome, already ? words.viewAlready : words.viewAdded(name), 'good');
          readFacts();
        },
        (error: unknown) => {
          add.disabled = false;
          say(outcome, messageOf(error), 'bad');
        },
      );
    });
  }

  function readFacts(): void {
    call<PersonFacts>('GET', `/api/v1/people/${identity.faceid}`).then(
      ({ faces, enrolledAt, thumbnail }) => {
        since.textContent = enrolledAt === null ? '–' : formatDate(enrolledAt);
        pictures.textContent = words.picturesCount(faces);
        showEnrolled(thumbnail);
      },
      (error: unknown) => {
        since.textContent = '–';
        pictures.textContent = messageOf(error);
      },
    );
  }
  readFacts();
}

function say(outcome: HTMLElement, text: string, kind: 'good' | 'bad' | '' = ''): void {
  outcome.className = `outcome ${kind}`;
  outcome.textContent = text;
}

/** From now on faces like this one do not get the name any more, unless it is undone. */
function sayNotThem(faceid: string, name: string, picture: Blob): void {
  const body = new FormData();
  body.append('faceid', faceid);
  body.append('image', picture, 'picture.jpg');
  call<{ id: string }>('POST', '/api/v1/corrections', { body }).then(
    ({ id }) =>
      offerUndo(words.notThemAnyMore(name), async () => {
        await call('DELETE', `/api/v1/corrections/${encodeURIComponent(id)}`);
      }),
    (error: unknown) => toast(messageOf(error), { kind: 'bad' }),
  );
}

/** Adds a picture to somebody enrolled. @returns whether the person had it before @throws ApiError */
async function addView(faceid: string, picture: Blob): Promise<boolean> {
  const body = new FormData();
  body.append('image', picture, 'picture.jpg');
  const path = `/api/v1/people/${faceid}/faces`;
  const { results } = await call<{ results: { status: string }[] }>('POST', path, { body });
  return results[0].status === 'already';
}

/**
 * Offers to enrol a face right where it was seen: one that is unknown, or that was taken for somebody else. A key that may
 * only recognise is told what it is.
 */
export function openUnknownFace(
  { identity, picture, mayEnrol }: TappedFace & { picture: Blob },
  onClosed: () => void,
): void {
  const address = URL.createObjectURL(picture);
  const close = () => {
    URL.revokeObjectURL(address);
    onClosed();
  };
  const preview = make('img', { src: address, alt: words.unknownFace, className: 'preview' });
  if (!mayEnrol) {
    const why = identity.reason ? words.unfit[identity.reason] : words.nobodyLikeThis;
    const told = make('div', { className: 'enrol-here' }, preview, make('p', {}, why));
    openDialog(words.unknownFace, [told], close).root.classList.add('who');
    return;
  }
  const fields = createPersonFields();
  const outcome = make('p', { className: 'outcome', role: 'status' });
  const submit = make('button', { type: 'submit', className: 'primary large', id: 'enrol' }, words.enrolHere);
  const form = make('form', {}, fields.root, submit, outcome);
  const dialog = openDialog(
    words.whoIsThis,
    [make('div', { className: 'enrol-here' }, preview, form)],
    close,
  );
  dialog.root.classList.add('who');
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (!fields.check()) return;
    submit.disabled = true;
    say(outcome, words.enrolling);
    enrolFrom(fields, picture, dialog)
      .catch((error: unknown) => say(outcome, messageOf(error), 'bad'))
      .finally(() => (submit.disabled = false));
  });
  fields.username.focus();
  fields.fill().catch((error: unknown) => say(outcome, messageOf(error), 'bad'));
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
