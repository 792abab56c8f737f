import { call } from './api.js';
import { openDialog } from './dialog.js';
import { make } from './dom.js';
import { words } from './i18n.js';
import { field, type Group } from './person-fields.js';
import { smallForm } from './small-form.js';
import { toast } from './toast.js';

/** Lets a group be renamed or deleted. */
export function openGroup(group: Group, onChange: () => void): void {
  const path = `/api/v1/groups/${encodeURIComponent(group.groupid)}`;
  const name = make('input', { id: 'group-name', value: group.groupname, maxLength: 200, required: true });
  const done = (text: string) => {
    dialog.close();
    toast(text, { kind: 'good' });
    onChange();
  };
  const rename = smallForm('', [field(words.groupName, name)], words.rename, async () => {
    await call('PATCH', path, { json: { groupname: name.value.trim() } });
    done(words.groupRenamed(name.value.trim()));
  });
  const remove = smallForm(
    words.removeGroup,
    [make('p', {}, words.removeGroupExplained)],
    words.removeGroup,
    async () => {
      await call('DELETE', path);
      done(words.groupRemoved(group.groupname));
    },
  );
  const dialog = openDialog(group.groupname, [rename, remove]);
}

/** Lets a group be created. */
export function openNewGroup(onChange: (groupid: string) => void): void {
  const id = make('input', {
    id: 'new-groupid',
    maxLength: 64,
    required: true,
    pattern: /^[0-9A-Za-z_][0-9A-Za-z_.]*$/.source,
    title: words.useridHint,
    autocapitalize: 'off',
    spellcheck: false,
  });
  const name = make('input', { id: 'new-groupname', maxLength: 200 });
  const controls = [field(words.newGroupName, name), field(words.newGroupId, id, words.useridHint)];
  const form = smallForm('', controls, words.createGroup, async () => {
    const groupid = id.value.trim();
    await call('POST', '/api/v1/groups', { json: { groupid, groupname: name.value.trim() || groupid } });
    dialog.close();
    onChange(groupid);
  });
  const dialog = openDialog(words.newGroup, [form]);
}

/** Asks for a group. @param onChosen called with it when one was chosen */
export function chooseGroup(title: string, groups: readonly Group[], onChosen: (group: Group) => void): void {
  const select = make('select', { id: 'to-group', required: true });
  select.append(
    make('option', { value: '' }, words.chooseGroup),
    ...groups.map(({ groupid, groupname }) => make('option', { value: groupid }, groupname)),
  );
  const form = smallForm('', [field(words.group, select)], words.move, () => {
    const group = groups.find(({ groupid }) => groupid === select.value);
    dialog.close();
    if (group) onChosen(group);
    return Promise.resolve();
  });
  const dialog = openDialog(title, [form]);
}
