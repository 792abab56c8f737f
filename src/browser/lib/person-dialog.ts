import { showConsent } from './consent-form.js';
import { confirmWith, openDialog } from './dialog.js';
import { make } from './dom.js';
import { words } from './i18n.js';
import { changePerson, type Person } from './people-api.js';
import { facts } from './person-facts.js';
import { field, type Group } from './person-fields.js';
import { showPictures } from './person-pictures.js';
import { showVisits } from './person-visits.js';
import { portraitOf } from './portrait.js';
import { smallForm } from './small-form.js';
import { toast } from './toast.js';
import { offerUndo } from './undo.js';

interface PersonDialogDeps {
  groups: readonly Group[];
  mayEdit: boolean;
  /** Something changed, so the list must be loaded again; told who to put the focus on. */
  onChange: (faceid?: string) => void;
  /** The user has agreed to delete the person. */
  onRemove: (person: Person) => void;
  /** The user thinks that somebody else is the same person. */
  onMerge: (person: Person) => void;
  onClosed: () => void;
}

/** Everything about one person: name, group, pictures, merging, deleting. */
export function openPerson(person: Person, deps: PersonDialogDeps): void {
  const dialog = openDialog(
    person.username,
    [make('div', { className: 'person-head' }, portraitOf(person), facts(person, deps.groups))],
    deps.onClosed,
  );
  dialog.root.classList.add('wide', 'person');
  const add = addLink(person);
  if (deps.mayEdit) dialog.body.append(add);
  const consent = showConsent(person, deps.mayEdit, (changed) => {
    dialog.close();
    deps.onChange(changed.faceid);
    toast(words.consentSaved(changed.username));
  });
  dialog.body.append(showPictures(person, deps), showVisits(person), consent);
  if (!deps.mayEdit) return;

  /** A change that the server has made already. */
  const done = (text: string, changed: Person) => {
    dialog.close();
    deps.onChange(changed.faceid);
    const { username, groupid, userid } = person;
    offerUndo(text, async () => {
      const now = await changePerson(changed.faceid, { username, groupid, userid });
      deps.onChange(now.faceid);
    });
  };
  const merge = make('button', { type: 'button', id: 'same-person' }, words.samePersonAs);
  merge.addEventListener('click', () => {
    dialog.close();
    deps.onMerge(person);
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
    make('div', { className: 'columns' }, renameForm(person, done), moveForm(person, deps.groups, done)),
    make('div', { className: 'buttons' }, merge, remove),
  );
}

function addLink({ groupid, userid, username }: Person): HTMLAnchorElement {
  const query = new URLSearchParams({ group: groupid, userid, username });
  return make('a', { className: 'button', href: `/add?${query}` }, words.addPictures);
}

type Done = (text: string, changed: Person) => void;

function renameForm(person: Person, done: Done): HTMLFormElement {
  const name = make('input', { id: 'rename', value: person.username, maxLength: 200, required: true });
  return smallForm(words.rename, [field(words.username, name)], words.rename, async () => {
    const changed = await changePerson(person.faceid, { username: name.value.trim() });
    done(words.renamed(changed.username), changed);
  });
}

function moveForm(person: Person, groups: readonly Group[], done: Done): HTMLFormElement {
  const group = make('select', { id: 'move-group' });
  group.append(...groups.map(({ groupid, groupname }) => make('option', { value: groupid }, groupname)));
  group.value = person.groupid;
  const userid = make('input', { id: 'move-userid', value: person.userid, maxLength: 64, required: true });
  const controls = [field(words.group, group), field(words.userid, userid)];
  return smallForm(words.move, controls, words.move, async () => {
    const to = { groupid: group.value, userid: userid.value.trim() };
    done(words.moved(person.username), await changePerson(person.faceid, to));
  });
}
