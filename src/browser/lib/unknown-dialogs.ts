import { ApiError, messageOf } from './api.js';
import { openDialog } from './dialog.js';
import { make } from './dom.js';
import { words } from './i18n.js';
import type { Person } from './people-api.js';
import { createPersonFields, type Group } from './person-fields.js';
import { createPersonSearch } from './person-search.js';
import { ignoreUnknown, nameUnknown, unknownIs, type UnknownFace } from './sightings-api.js';
import { toast } from './toast.js';
import { offerUndo } from './undo.js';

export interface UnknownDeps {
  groups: readonly Group[];
  /** An unknown face has become somebody, or is ignored: it leaves the list. */
  onSettled: (id: string) => void;
  /** That was undone. */
  onUndone: (id: string) => void;
}

type Face = Pick<UnknownFace, 'id' | 'pictures'>;

/** What these say may be overruled by somebody who sees the pictures. */
const DOUBTS = new Set(['OTHER_PERSON', 'NOT_THE_SAME_PERSON']);

function picturesOf({ pictures }: Face): HTMLElement {
  const images = pictures.map((src) => make('img', { src, alt: '' }));
  return make('div', { className: 'unknown-pictures' }, ...images);
}

/** What can be done about an unknown face: name it, say who it is, keep quiet about it. All of it can be undone. */
export function createUnknownDialogs({ groups, onSettled, onUndone }: UnknownDeps) {
  /** @param change does it @returns takes it back */
  async function settle(id: string, told: string, change: Promise<() => Promise<void>>): Promise<void> {
    const undo = await change;
    onSettled(id);
    offerUndo(told, async () => {
      await undo();
      onUndone(id);
    });
  }

  return {
    /** Asks for the name of somebody new. */
    name(face: Face): void {
      const fields = createPersonFields();
      const outcome = make('p', { className: 'outcome', role: 'status' });
      const submit = make(
        'button',
        { type: 'submit', className: 'primary large', id: 'name-it' },
        words.nameIt,
      );
      const form = make('form', { noValidate: true }, fields.root, submit, outcome);
      const dialog = openDialog(words.whoIsThis, [picturesOf(face), form]);
      let force = false;
      const refuse = (error: unknown) => {
        outcome.className = 'outcome bad';
        outcome.textContent = messageOf(error);
        if (!(error instanceof ApiError) || !DOUBTS.has(error.code)) return;
        force = true;
        submit.textContent = words.nameItAnyway;
      };
      form.addEventListener('submit', (event) => {
        event.preventDefault();
        if (!fields.check()) return;
        submit.disabled = true;
        const { username, userid } = fields.typed;
        fields
          .read()
          .then((person) =>
            settle(face.id, words.unknownNamed(username || userid), nameUnknown(face.id, person, force)),
          )
          .then(dialog.close, refuse)
          .finally(() => (submit.disabled = false));
      });
      fields.username.focus();
      fields.fill().catch(refuse);
    },

    /** Asks which of those enrolled it is. */
    sameAs(face: Face): void {
      const outcome = make('p', { className: 'outcome', role: 'status' });
      const anyway = make('div', { className: 'buttons' });
      const choose = (person: Person, force: boolean) => {
        outcome.className = 'outcome';
        outcome.textContent = '';
        anyway.replaceChildren();
        settle(
          face.id,
          words.unknownIs(person.username),
          unknownIs(face.id, { faceid: person.faceid, force }),
        ).then(dialog.close, (error: unknown) => {
          outcome.className = 'outcome bad';
          outcome.textContent = messageOf(error);
          if (!(error instanceof ApiError) || !DOUBTS.has(error.code)) return;
          const button = make('button', { type: 'button' }, words.itIsThem(person.username));
          button.addEventListener('click', () => choose(person, true));
          anyway.replaceChildren(button);
        });
      };
      const { nodes, input } = createPersonSearch('same-as-search', words.searchPerson, {
        groups,
        onChosen: (person) => choose(person, false),
      });
      const dialog = openDialog(words.sameAsTitle, [picturesOf(face), ...nodes, outcome, anyway]);
      input.focus();
    },

    /** It is the same stranger as another one. */
    join(face: Face, other: string): void {
      settle(face.id, words.unknownsJoined, unknownIs(face.id, { unknown: other })).catch(tell);
    },

    ignore(face: Face, ignored: boolean): void {
      const told = ignored ? words.unknownIgnored : words.unknownNotIgnored;
      settle(face.id, told, ignoreUnknown(face.id, ignored)).catch(tell);
    },
  };
}

export type UnknownDialogs = ReturnType<typeof createUnknownDialogs>;

function tell(error: unknown): void {
  toast(messageOf(error), { kind: 'bad' });
}
