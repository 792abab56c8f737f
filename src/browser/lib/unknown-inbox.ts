import { make } from './dom.js';
import { formatDate, formatSpan, words } from './i18n.js';
import { listUnknowns, readUnknown, type UnknownFace } from './sightings-api.js';
import type { UnknownDialogs } from './unknown-dialogs.js';

/** Unknown faces that are asked for at a time. */
const PAGE = 24;

interface InboxParts {
  list: HTMLUListElement;
  /** Shows more of them. */
  more: HTMLButtonElement;
  /** Said where there is none. */
  none: HTMLElement;
}

interface InboxDeps {
  dialogs: UnknownDialogs;
  /** Shows all visits of one. */
  onVisits: (id: string) => void;
  onError: (error: unknown) => void;
}

/** The unknown faces that wait for a name, or those that are ignored: each with all its visits as one card. */
export function createUnknownInbox(
  { list, more, none }: InboxParts,
  { dialogs, onVisits, onError }: InboxDeps,
) {
  let ignored = false;
  let next: string | null = null;
  let request: AbortController | undefined;
  const faces = new Map<string, UnknownFace>();

  const act = (className: string, label: string, run: () => void) => {
    const button = make('button', { type: 'button', className }, label);
    button.addEventListener('click', run);
    return button;
  };

  function cardOf(face: UnknownFace): HTMLLIElement {
    const { id, visits, first, last, deviceids, pictures } = face;
    const shown = pictures.map((src) => make('img', { src, alt: '', loading: 'lazy', decoding: 'async' }));
    const when = visits === 1 ? formatDate(last) : formatSpan(first, last);
    const places = deviceids.filter((name) => name !== '').join(', ');
    return make(
      'li',
      { className: 'card unknown-card', data: { unknown: id } },
      make('div', { className: 'unknown-pictures' }, ...(shown.length > 0 ? shown : [silhouette()])),
      make('h2', { tabIndex: -1 }, words.visitsCount(visits)),
      make('p', { className: 'when' }, when, ...(places === '' ? [] : [` · ${places}`])),
      likeOf(face),
      make(
        'div',
        { className: 'unknown-actions' },
        act('primary name', words.nameIt, () => dialogs.name(face)),
        act('same-as', words.sameAs, () => dialogs.sameAs(face)),
        act('ignore', face.ignored ? words.ignoreNoLonger : words.ignoreIt, () =>
          dialogs.ignore(face, !face.ignored),
        ),
        act('quiet visits-of', words.showVisits, () => onVisits(id)),
      ),
    );
  }

  /** Asks whether two who look alike are one: they are never joined without being asked about. */
  function likeOf(face: UnknownFace): HTMLElement {
    const question = make('div', { className: 'like', hidden: true });
    const { like } = face;
    if (like === null) return question;
    const other = faces.get(like) ?? readUnknown(like);
    Promise.resolve(other).then(
      ({ id, pictures, visits }) => {
        if (id === face.id) return;
        question.append(
          ...pictures.slice(0, 1).map((src) => make('img', { src, alt: '' })),
          make('span', {}, words.sameStranger(visits)),
          act('join', words.sameStrangerYes, () => dialogs.join(face, id)),
        );
        question.hidden = false;
      },
      // Gone meanwhile.
      () => undefined,
    );
    return question;
  }

  async function load(after?: string): Promise<void> {
    request?.abort();
    request = new AbortController();
    const answer = await listUnknowns({ ignored, limit: PAGE, after }, request.signal);
    if (after === undefined) {
      faces.clear();
      list.replaceChildren();
    }
    const added = answer.unknowns.filter(({ id }) => !faces.has(id));
    for (const face of added) faces.set(face.id, face);
    list.append(...added.map(cardOf));
    next = answer.next;
    more.hidden = next === null;
    showNone();
  }

  function showNone(): void {
    none.hidden = faces.size > 0 || next !== null;
    none.textContent = ignored ? words.noIgnored : words.noUnknowns;
  }

  more.addEventListener('click', () => void load(next ?? undefined).catch(onError));

  return {
    /** @param ofIgnored those that are ignored, in place of those that wait */
    show(ofIgnored: boolean): void {
      ignored = ofIgnored;
      load().catch(onError);
    },
    /** Takes one out, and puts the focus on the next. */
    remove(id: string): void {
      const card = list.querySelector<HTMLElement>(`[data-unknown="${CSS.escape(id)}"]`);
      faces.delete(id);
      const beside = card?.nextElementSibling ?? card?.previousElementSibling;
      card?.remove();
      showNone();
      if (card) (beside?.querySelector<HTMLElement>('h2') ?? none).focus();
    },
  };
}

function silhouette(): HTMLElement {
  return make('span', { className: 'portrait', ariaHidden: 'true' }, '?');
}
