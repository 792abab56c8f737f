import { call } from './api.js';
import { element, make, recall, remember } from './dom.js';
import { words } from './i18n.js';

export interface Group {
  groupid: string;
  groupname: string;
}

/** The option that makes a group. */
const NEW = '*new';

export function listGroups(): Promise<Group[]> {
  return call<Group[]>('GET', '/api/groups');
}

/** The field for the group: one of the list, or a new one that is made when the form is sent. */
export function createGroupField() {
  const select = element('group', HTMLSelectElement);
  const more = element('new-group', HTMLFieldSetElement);
  const id = element('new-groupid', HTMLInputElement);
  const name = element('new-groupname', HTMLInputElement);

  const showMore = () => (more.hidden = select.value !== NEW);
  select.addEventListener('change', () => {
    showMore();
    if (!more.hidden) id.focus();
  });

  async function fill(choice = recall('group')): Promise<void> {
    const groups = await listGroups();
    select.replaceChildren(
      ...groups.map(({ groupid, groupname }) => make('option', { value: groupid }, groupname)),
      make('option', { value: NEW }, words.newGroup),
    );
    if (groups.some(({ groupid }) => groupid === choice)) select.value = choice ?? '';
    showMore();
  }

  return {
    fill,
    /**
     * The chosen group's ID; a new group is made first.
     * @throws ApiError
     */
    async take(): Promise<string> {
      if (select.value !== NEW) {
        remember('group', select.value);
        return select.value;
      }
      const group = { groupid: id.value.trim(), groupname: name.value.trim() || id.value.trim() };
      await call('POST', '/api/v1/groups', { json: group });
      id.value = '';
      name.value = '';
      remember('group', group.groupid);
      await fill(group.groupid);
      return group.groupid;
    },
  };
}
