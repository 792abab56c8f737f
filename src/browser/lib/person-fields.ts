import { idFromName, isId } from '../logic/person-id.js';
import { allows } from '../logic/rights.js';
import { call, currentSession } from './api.js';
import { make, recall, remember } from './dom.js';
import { words } from './i18n.js';

export interface Group {
  groupid: string;
  groupname: string;
}

/** The person whom pictures are enrolled for. */
export interface NewPerson {
  groupid: string;
  /** '' for one whom the page is to find: see `settlePerson`. */
  userid: string;
  /** '' keeps the name that the person has. */
  username: string;
}

/** The option that creates a group. */
const NEW = '*new';

export function listGroups(): Promise<Group[]> {
  return call<Group[]>('GET', '/api/v1/groups');
}

/** A form control with its label and perhaps a hint. */
export function field(label: string, control: HTMLElement, hint?: string): HTMLLabelElement {
  const made = make('label', {}, make('span', {}, label), control);
  if (hint !== undefined) made.append(make('small', {}, hint));
  return made;
}

/** A field whose hint gives way to what is wrong with it: the browser's own bubble would lie over the hint. */
function checkedField(label: string, control: HTMLInputElement, hint: string) {
  const text = make('small', { id: `${control.id}-hint` }, hint);
  control.setAttribute('aria-describedby', text.id);
  return {
    root: make('div', { className: 'field' }, field(label, control), text),
    /** @param fault undefined: nothing is wrong */
    show(fault: string | undefined): boolean {
      const shown = fault ?? hint;
      if (text.textContent !== shown) text.textContent = shown;
      text.className = fault === undefined ? '' : 'fault';
      control.setAttribute('aria-invalid', String(fault !== undefined));
      return fault === undefined;
    },
  };
}

const idInput = (id: string) =>
  make('input', { id, maxLength: 64, autocomplete: 'off', autocapitalize: 'off', spellcheck: false });
const nameInput = (id: string) => make('input', { id, maxLength: 200, autocomplete: 'off' });

/**
 * The fields for a person: the name first; the group, which is remembered, and the ID, which is made from the name, are kept
 * under "More".
 */
export function createPersonFields() {
  const group = make('select', { id: 'group' });
  const newId = idInput('new-groupid');
  const newName = nameInput('new-groupname');
  const userid = idInput('userid');
  const username = nameInput('username');
  username.autocapitalize = 'words';
  username.enterKeyHint = 'go';
  const ofGroup = checkedField(words.newGroupId, newId, words.useridHint);
  const ofId = checkedField(words.userid, userid, words.useridMade);
  const ofName = checkedField(words.username, username, words.nameFirst);
  const newGroup = make(
    'fieldset',
    { id: 'new-group', hidden: true },
    ofGroup.root,
    field(words.newGroupName, newName),
  );
  const summary = make('summary');
  const more = make(
    'details',
    { className: 'more', id: 'more' },
    summary,
    field(words.group, group),
    newGroup,
    ofId.root,
  );
  const root = make('div', { className: 'person-fields' }, ofName.root, more);

  const groupName = () => (group.value === NEW ? newName.value : (group.selectedOptions.item(0)?.text ?? ''));
  function refresh(): void {
    newGroup.hidden = group.value !== NEW;
    const made = idFromName(username.value) ?? '';
    userid.placeholder = made;
    summary.textContent = words.moreSummary(groupName(), userid.value.trim() || made);
  }
  root.addEventListener('input', () => {
    refresh();
    for (const part of [ofGroup, ofId, ofName]) part.show(undefined);
  });
  group.addEventListener('change', () => {
    refresh();
    if (!newGroup.hidden) newId.focus();
  });
  refresh();

  /** @returns whether the key may use the group that is to be chosen */
  async function fill(choice = recall('group')): Promise<boolean> {
    const [groups, session] = await Promise.all([listGroups(), currentSession()]);
    group.replaceChildren(
      ...groups.map(({ groupid, groupname }) => make('option', { value: groupid }, groupname)),
      // A key that is tied to groups may make none.
      ...(allows(session, 'keys') ? [make('option', { value: NEW }, words.newGroup)] : []),
    );
    const isThere = groups.some(({ groupid }) => groupid === choice);
    if (isThere) group.value = choice ?? '';
    refresh();
    return isThere;
  }

  /** Says what is wrong under the field and goes there. */
  function check(): boolean {
    const id = userid.value.trim();
    const wrong = (part: ReturnType<typeof checkedField>, control: HTMLInputElement, fault: string) => {
      if (control !== username) more.open = true;
      part.show(fault);
      control.focus();
      return false;
    };
    if (id !== '' && !isId(id)) return wrong(ofId, userid, words.useridWrong);
    if (username.value.trim() === '' && id === '') return wrong(ofName, username, words.nameMissing);
    if (group.value === NEW && !isId(newId.value.trim())) return wrong(ofGroup, newId, words.useridHint);
    return true;
  }

  return {
    root,
    userid,
    username,
    fill,
    check,
    /** What is typed, before it is checked. */
    get typed(): NewPerson {
      return { groupid: group.value, userid: userid.value.trim(), username: username.value.trim() };
    },
    /** The name of the chosen group. */
    get groupName(): string {
      return groupName();
    },
    /** Fills in a name and an ID. */
    write(person: Pick<NewPerson, 'userid' | 'username'>): void {
      userid.value = person.userid;
      username.value = person.username;
      refresh();
    },
    /**
     * What was filled in; a new group is created first.
     * @throws ApiError
     */
    async read(): Promise<NewPerson> {
      if (group.value === NEW) {
        const made = { groupid: newId.value.trim(), groupname: newName.value.trim() || newId.value.trim() };
        await call('POST', '/api/v1/groups', { json: made });
        newId.value = '';
        newName.value = '';
        await fill(made.groupid);
      }
      remember('group', group.value);
      return this.typed;
    },
    /** Empties the fields for the next person; the group stays. */
    clear(): void {
      this.write({ userid: '', username: '' });
    },
  };
}
