import { messageOf } from './api.js';
import { make } from './dom.js';
import { words } from './i18n.js';
import { listPeople, type Person } from './people-api.js';
import { facts } from './person-facts.js';
import { field, type Group } from './person-fields.js';
import { portraitOf } from './portrait.js';

/** From the last keystroke to the search, milliseconds. */
const TYPING = 200;
/** People shown as found; who is not among them is found by more letters. */
const FOUND = 12;

interface SearchDeps {
  groups: readonly Group[];
  isLeftOut?: (person: Person) => boolean;
  onChosen: (person: Person) => void;
}

/** A field that searches for somebody enrolled, and whom it found, to be chosen. @param id of the field */
export function createPersonSearch(
  id: string,
  label: string,
  { groups, isLeftOut = () => false, onChosen }: SearchDeps,
) {
  const input = make('input', { id, type: 'search', autocomplete: 'off', placeholder: words.searchPeople });
  const found = make('ul', { className: 'found' });
  const outcome = make('p', { role: 'status' });
  let searches = 0;
  let typing: number | undefined;

  async function find(): Promise<void> {
    const mine = ++searches;
    const text = input.value.trim();
    if (text === '') {
      found.replaceChildren();
      outcome.textContent = '';
      return;
    }
    const { people } = await listPeople({ search: text, sort: 'name', limit: FOUND + 1 });
    if (mine !== searches) return;
    const others = people.filter((each) => !isLeftOut(each));
    found.replaceChildren(...others.slice(0, FOUND).map(rowOf));
    outcome.textContent = others.length === 0 ? words.nobodyMatches : '';
  }

  function rowOf(person: Person): HTMLLIElement {
    const button = make(
      'button',
      { type: 'button', data: { faceid: person.faceid } },
      portraitOf(person),
      make('span', {}, make('strong', {}, person.username), facts(person, groups)),
    );
    button.addEventListener('click', () => onChosen(person));
    return make('li', {}, button);
  }

  input.addEventListener('input', () => {
    window.clearTimeout(typing);
    typing = window.setTimeout(() => {
      find().catch((error: unknown) => (outcome.textContent = messageOf(error)));
    }, TYPING);
  });
  return { nodes: [field(label, input), outcome, found], input };
}
