import { call, messageOf } from './api.js';
import { confirmWith, openDialog } from './dialog.js';
import { make } from './dom.js';
import { formatDate, words } from './i18n.js';
import {
  changePerson,
  listPeople,
  listPictures,
  mergePeople,
  type Person,
  type PersonPicture,
  pictureUrl,
  removePicture,
} from './people-api.js';
import { field, type Group } from './person-fields.js';
import { toast } from './toast.js';
import { doUnlessUndone } from './undo.js';

interface PersonDialogDeps {
  groups: readonly Group[];
  mayEdit: boolean;
  /** Something changed, so the list must be loaded again. */
  onChange: () => void;
  /** The user has agreed to delete the person. */
  onRemove: (person: Person) => void;
}

/** Everything about one person: name, group, pictures, merging, deleting. */
export function openPerson(person: Person, deps: PersonDialogDeps): void {
  const pictures = make('ul', { className: 'tray' });
  const content: Node[] = [facts(person, deps.groups), make('h3', {}, words.pictures), pictures];
  const dialog = openDialog(person.username, content);
  dialog.root.classList.add('wide', 'person');
  showPictures(person, pictures, deps).catch((error: unknown) => pictures.append(messageOf(error)));
  if (!deps.mayEdit) return;

  const done = (text: string) => {
    dialog.close();
    toast(text, { kind: 'good' });
    deps.onChange();
  };
  const more = new URLSearchParams({
    group: person.groupid,
    userid: person.userid,
    username: person.username,
  });
  const remove = make(
    'button',
    { type: 'button', className: 'danger', id: 'remove-person' },
    words.removePerson,
  );
  remove.addEventListener('click', () => {
    void confirmWith(words.removePerson, words.removePersonAsk(person.username, person.faces), {
      yes: words.remove,
      danger: true,
    }).then((agreed) => {
      if (!agreed) return;
      dialog.close();
      deps.onRemove(person);
    });
  });
  dialog.body.append(
    make('a', { className: 'button', href: `/add?${more}` }, words.addPictures),
    make('div', { className: 'columns' }, renameForm(person, done), moveForm(person, deps.groups, done)),
    mergeForm(person, done),
    make('div', { className: 'buttons' }, remove),
  );
}

function facts(person: Person, groups: readonly Group[]): HTMLElement {
  const name = groups.find(({ groupid }) => groupid === person.groupid)?.groupname ?? person.groupid;
  const since = person.enrolledAt === null ? words.noPicturesYet : formatDate(person.enrolledAt);
  return make(
    'p',
    { className: 'facts' },
    `${name} · ${person.userid} · ${words.picturesCount(person.faces)} · ${since}`,
  );
}

async function showPictures(person: Person, list: HTMLElement, deps: PersonDialogDeps): Promise<void> {
  const pictures = await listPictures(person.faceid);
  list.replaceChildren(...pictures.map((picture) => pictureRow(person, picture, list, deps)));
}

function pictureRow(
  person: Person,
  picture: PersonPicture,
  list: HTMLElement,
  deps: PersonDialogDeps,
): HTMLLIElement {
  const when = formatDate(picture.enrolledAt);
  const row = make('li', { data: { id: picture.id } });
  row.append(
    // The server shows pictures only to those who may change them.
    picture.picture === true && deps.mayEdit
      ? make('img', { src: pictureUrl(person.faceid, picture.id), alt: when, loading: 'lazy' })
      : make('div', { className: 'no-picture', ariaHidden: 'true' }, '◡'),
    make('p', {}, picture.automatic ? `${when} · ${words.automatic}` : when),
  );
  if (!deps.mayEdit) return row;
  const removeButton = make('button', {
    type: 'button',
    className: 'cross',
    ariaLabel: words.removePicture(when),
    title: words.removePicture(when),
  });
  removeButton.textContent = '×';
  removeButton.addEventListener('click', () => {
    row.hidden = true;
    const run = (leaving: boolean) => removePicture(person.faceid, picture.id, leaving);
    doUnlessUndone(words.pictureRemoved, run, () => {
      row.hidden = false;
      deps.onChange();
      if (list.isConnected) void showPictures(person, list, deps);
    });
  });
  row.append(removeButton);
  return row;
}

/** A form of one or two fields, which shows below its button when the server refuses. */
function smallForm(
  title: string,
  controls: readonly Node[],
  label: string,
  run: () => Promise<void>,
): HTMLFormElement {
  const outcome = make('p', { className: 'outcome', role: 'status' });
  const submit = make('button', { type: 'submit' }, label);
  const form = make('form', { className: 'small-form' }, make('h3', {}, title), ...controls, submit, outcome);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    submit.disabled = true;
    outcome.textContent = '';
    run()
      .catch((error: unknown) => {
        outcome.className = 'outcome bad';
        outcome.textContent = messageOf(error);
      })
      .finally(() => (submit.disabled = false));
  });
  return form;
}

function renameForm(person: Person, done: (text: string) => void): HTMLFormElement {
  const name = make('input', { id: 'rename', value: person.username, maxLength: 200, required: true });
  return smallForm(words.rename, [field(words.username, name)], words.save, async () => {
    await changePerson(person.faceid, { username: name.value.trim() });
    done(words.renamed(name.value.trim()));
  });
}

function moveForm(person: Person, groups: readonly Group[], done: (text: string) => void): HTMLFormElement {
  const group = make('select', { id: 'move-group' });
  group.append(...groups.map(({ groupid, groupname }) => make('option', { value: groupid }, groupname)));
  group.value = person.groupid;
  const userid = make('input', { id: 'move-userid', value: person.userid, maxLength: 64, required: true });
  const controls = [field(words.group, group), field(words.userid, userid)];
  return smallForm(words.move, controls, words.move, async () => {
    await changePerson(person.faceid, { groupid: group.value, userid: userid.value.trim() });
    done(words.moved(person.username));
  });
}

function mergeForm(person: Person, done: (text: string) => void): HTMLFormElement {
  const search = make('input', { id: 'merge-search', type: 'search', autocomplete: 'off' });
  const found = make('select', { id: 'merge-with', required: true });
  let searches = 0;
  const searchOthers = async () => {
    const mine = ++searches;
    const { people } = await listPeople({ group: '', search: search.value.trim(), offset: 0, limit: 50 });
    if (mine !== searches) return;
    const others = people.filter(({ faceid }) => faceid !== person.faceid);
    found.replaceChildren(
      ...others.map(({ faceid, username }) => make('option', { value: faceid }, `${username} (${faceid})`)),
    );
  };
  search.addEventListener('input', () => void searchOthers().catch(() => undefined));
  void searchOthers().catch(() => undefined);
  const controls = [
    make('p', {}, words.mergeExplained(person.username)),
    field(words.search, search),
    field(words.mergeWith, found),
  ];
  return smallForm(words.merge, controls, words.merge, async () => {
    const other = found.selectedOptions.item(0)?.textContent ?? '';
    const text = words.mergeAsk(other, person.username);
    if (!(await confirmWith(words.merge, text, { yes: words.merge, danger: true }))) return;
    await mergePeople(person.faceid, found.value);
    done(words.merged(person.username));
  });
}

/** Lets a group be renamed or deleted. */
export function openGroup(group: Group, onChange: () => void): void {
  const name = make('input', { id: 'group-name', value: group.groupname, maxLength: 200, required: true });
  const done = (text: string) => {
    dialog.close();
    toast(text, { kind: 'good' });
    onChange();
  };
  const rename = smallForm(words.rename, [field(words.groupName, name)], words.save, async () => {
    await call('PATCH', `/api/v1/groups/${group.groupid}`, { json: { groupname: name.value.trim() } });
    done(words.renamed(name.value.trim()));
  });
  const remove = smallForm(
    words.removeGroup,
    [make('p', {}, words.removeGroupExplained)],
    words.removeGroup,
    async () => {
      await call('DELETE', `/api/v1/groups/${group.groupid}`);
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
  });
  const name = make('input', { id: 'new-groupname', maxLength: 200 });
  const controls = [field(words.newGroupId, id, words.useridHint), field(words.newGroupName, name)];
  const form = smallForm(words.newGroup, controls, words.save, async () => {
    const groupid = id.value.trim();
    await call('POST', '/api/v1/groups', { json: { groupid, groupname: name.value.trim() || groupid } });
    dialog.close();
    onChange(groupid);
  });
  const dialog = openDialog(words.newGroup, [form]);
}
