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
  userid: string;
  /** '' keeps the name that the person has. */
  username: string;
}

/** The option that creates a group. */
const NEW = '*new';
const ID_PATTERN = '[0-9A-Za-z_][0-9A-Za-z_.]{0,63}';

export function listGroups(): Promise<Group[]> {
  return call<Group[]>('GET', '/api/v1/groups');
}

/** A form control with its label and perhaps a hint. */
export function field(label: string, control: HTMLElement, hint?: string): HTMLLabelElement {
  const made = make('label', {}, make('span', {}, label), control);
  if (hint !== undefined) made.append(make('small', {}, hint));
  return made;
}

const idInput = (id: string) =>
  make('input', {
    id,
    pattern: ID_PATTERN,
    maxLength: 64,
    autocomplete: 'off',
    autocapitalize: 'off',
    spellcheck: false,
  });
const nameInput = (id: string) => make('input', { id, maxLength: 200, autocomplete: 'off' });

/** The fields for a person: a group from the list or a new one, the ID, the name. */
export function createPersonFields() {
  const group = make('select', { id: 'group' });
  const newId = idInput('new-groupid');
  const newName = nameInput('new-groupname');
  const more = make(
    'fieldset',
    { id: 'new-group', hidden: true },
    field(words.newGroupId, newId, words.useridHint),
    field(words.newGroupName, newName),
  );
  const userid = idInput('userid');
  const username = nameInput('username');
  userid.required = true;
  const root = make(
    'div',
    {},
    field(words.group, group),
    more,
    field(words.userid, userid, words.useridHint),
    field(words.username, username, words.usernameHint),
  );

  const showMore = () => {
    more.hidden = group.value !== NEW;
    newId.required = !more.hidden;
  };
  group.addEventListener('change', () => {
    showMore();
    if (!more.hidden) newId.focus();
  });

  async function fill(choice = recall('group')): Promise<void> {
    const [groups, { role = 'admin' }] = await Promise.all([listGroups(), currentSession()]);
    group.replaceChildren(
      ...groups.map(({ groupid, groupname }) => make('option', { value: groupid }, groupname)),
      ...(role === 'admin' ? [make('option', { value: NEW }, words.newGroup)] : []),
    );
    if (groups.some(({ groupid }) => groupid === choice)) group.value = choice ?? '';
    showMore();
  }

  return {
    root,
    userid,
    username,
    fill,
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
      return { groupid: group.value, userid: userid.value.trim(), username: username.value.trim() };
    },
    /** Empties the fields for the next person; the group stays. */
    clear(): void {
      userid.value = '';
      username.value = '';
    },
  };
}
