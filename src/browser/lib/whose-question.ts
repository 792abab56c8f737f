import { make } from './dom.js';
import { words } from './i18n.js';

/** Somebody who is enrolled. */
export interface KnownPerson {
  faceid: string;
  groupid: string;
  userid: string;
  username: string;
}

interface QuestionEvents {
  /** The pictures are of this person: they are to be added there. */
  onThem: (person: KnownPerson) => void;
  /** They are of somebody else, who looks like this person. */
  onOther: (person: KnownPerson) => void;
  onChange: () => void;
}

/** Asks, in the place of the button that enrols, whether the person is the one whom the server takes them for. */
export function createWhoseQuestion(root: HTMLElement, events: QuestionEvents) {
  let asked: KnownPerson | undefined;
  /** People whom the user said it is not. */
  const denied = new Set<string>();

  function close(): void {
    const hadFocus = root.contains(document.activeElement);
    asked = undefined;
    root.hidden = true;
    root.replaceChildren();
    events.onChange();
    if (hadFocus) document.getElementById('enrol')?.focus();
  }

  return {
    /** Asks once for each person, and one question at a time. */
    ask(person: KnownPerson): void {
      if (asked || denied.has(person.faceid)) return;
      asked = person;
      const name = person.username || person.userid;
      const them = make(
        'button',
        { type: 'button', className: 'primary large', id: 'add-to-them' },
        words.addToThem(name),
      );
      const other = make(
        'button',
        { type: 'button', className: 'large', id: 'somebody-else' },
        words.somebodyElse,
      );
      them.addEventListener('click', () => {
        close();
        events.onThem(person);
      });
      other.addEventListener('click', () => {
        denied.add(person.faceid);
        close();
        events.onOther(person);
      });
      root.replaceChildren(
        make('p', {}, make('strong', {}, words.thisIsAlready(name))),
        make('div', { className: 'choices' }, them, other),
      );
      root.hidden = false;
      events.onChange();
    },
    /** Goes to the question, which must be answered first. */
    focus(): void {
      root.querySelector('button')?.focus();
    },
    clear(): void {
      denied.clear();
      if (asked) close();
    },
    get open(): boolean {
      return asked !== undefined;
    },
    isDenied: (faceid: string): boolean => denied.has(faceid),
  };
}
