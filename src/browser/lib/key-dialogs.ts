import { linkAddress } from '../logic/link-address.js';
import { ROLES, type Role } from '../logic/rights.js';
import { call, messageOf } from './api.js';
import { openDialog } from './dialog.js';
import { make } from './dom.js';
import { words } from './i18n.js';

/** A key as the server lists it; the key itself is kept nowhere. */
export interface Key {
  id: string;
  name: string;
  role: Role;
  /** null: all. */
  groups: string[] | null;
  /** ISO 8601. */
  createdAt: string;
  lastUsedAt?: string;
}

interface Group {
  groupid: string;
  groupname: string;
}

/** As the server takes them (src/access/keys.ts). */
const NAME = /^[0-9A-Za-z][0-9A-Za-z _.@-]{0,63}$/;

/** A form in a dialog, whose faults are said in its own line. @param send does it; throws what is then said */
function openForm(title: string, parts: readonly Node[], yes: string, send: () => Promise<void>): void {
  const say = make('p', { className: 'outcome', role: 'alert' });
  const submit = make('button', { type: 'submit', className: 'primary' }, yes);
  const cancel = make('button', { type: 'button', onclick: () => dialog.close() }, words.cancel);
  const form = make('form', { noValidate: true }, ...parts, say);
  form.append(make('div', { className: 'buttons' }, cancel, submit));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    submit.disabled = true;
    say.textContent = '';
    send()
      .then(() => dialog.close())
      .catch((error: unknown) => {
        say.className = 'outcome bad';
        say.textContent = messageOf(error);
      })
      .finally(() => (submit.disabled = false));
  });
  const dialog = openDialog(title, [form]);
}

function field(label: string, control: HTMLElement, hint: string): HTMLElement {
  return make('label', {}, make('span', {}, label), control, make('small', {}, hint));
}

function choice(name: string, value: string, isChosen: boolean, text: string, hint = ''): HTMLElement {
  const input = make('input', { type: 'radio', name, value, checked: isChosen });
  return make('label', { className: 'choice' }, input, make('span', {}, text, make('small', {}, hint)));
}

/** Asks for which groups a key is. @param chosen null: all */
async function groupFields(chosen: readonly string[] | null) {
  const groups = await call<Group[]>('GET', '/api/v1/groups');
  // A group that was deleted since still ties the key.
  const gone = (chosen ?? []).filter((id) => groups.every(({ groupid }) => groupid !== id));
  const all = [...groups, ...gone.map((id) => ({ groupid: id, groupname: id }))];
  const list = make('div', { className: 'choices', id: 'key-groups', hidden: chosen === null });
  for (const { groupid, groupname } of all) {
    const checked = chosen?.includes(groupid) ?? false;
    const input = make('input', { type: 'checkbox', name: 'group', value: groupid, checked });
    list.append(make('label', { className: 'choice' }, input, make('span', {}, groupname)));
  }
  const root = make(
    'fieldset',
    { className: 'plain' },
    make('legend', {}, words.keyGroups),
    choice('range', 'all', chosen === null, words.allGroupsKey, words.allGroupsKeyHint),
    choice('range', 'some', chosen !== null, words.someGroupsKey, words.someGroupsKeyHint),
    list,
  );
  const isSome = () => root.querySelector<HTMLInputElement>('input[value="some"]')?.checked ?? false;
  root.addEventListener('change', () => (list.hidden = !isSome()));
  return {
    root,
    /** @returns null: all @throws Error when none is chosen */
    read(): string[] | null {
      if (!isSome()) return null;
      const boxes = [...list.querySelectorAll<HTMLInputElement>('input:checked')];
      if (boxes.length === 0) throw new Error(words.noGroupChosen);
      return boxes.map(({ value }) => value);
    },
  };
}

/** Makes a key, and shows it this once. @param onMade called when it is there */
export async function openNewKey(onMade: () => void): Promise<void> {
  const name = make('input', {
    id: 'key-name',
    maxLength: 64,
    autocomplete: 'off',
    autocapitalize: 'off',
    spellcheck: false,
  });
  const roles = make(
    'fieldset',
    { className: 'plain' },
    make('legend', {}, words.keyRole),
    ...ROLES.map((role) =>
      choice('role', role, role === 'recognise', words.roles[role], words.roleHints[role]),
    ),
  );
  const groups = await groupFields(null);
  const parts = [field(words.keyName, name, words.keyNameHint), roles, groups.root];
  openForm(words.newKey, parts, words.makeKey, async () => {
    const wanted = name.value.normalize('NFKC').trim();
    if (!NAME.test(wanted)) {
      name.focus();
      throw new Error(wanted === '' ? words.keyNameMissing : words.keyNameInvalid);
    }
    const role = roles.querySelector<HTMLInputElement>('input:checked')?.value;
    const tied = groups.read();
    const json = { name: wanted, role, ...(tied && { groups: tied }) };
    const made = await call<Key & { key: string }>('POST', '/api/v1/keys', { json });
    onMade();
    // The first dialog closes before: focus then comes back to the page from this one.
    window.setTimeout(() => showKey(made));
  });
}

/** A text to be taken along. */
function copyable(text: string, label: string): HTMLElement {
  const shown = make('input', { value: text, readOnly: true, className: 'secret', ariaLabel: label });
  shown.addEventListener('focus', () => shown.select());
  const copy = make('button', { type: 'button', className: 'copy' }, words.copy);
  copy.addEventListener('click', () => {
    // Where the browser has no clipboard for this page, the text is at least selected.
    const copying = window.isSecureContext ? navigator.clipboard.writeText(text) : Promise.reject(new Error());
    copying.then(
      () => (copy.textContent = words.copied),
      () => shown.select(),
    );
  });
  return make('div', { className: 'copyable' }, shown, copy);
}

function showKey(made: Key & { key: string }): void {
  const toPhone = make('button', { type: 'button' }, words.signPhoneIn);
  toPhone.addEventListener('click', () => {
    dialog.close();
    window.setTimeout(() => void openLink(made));
  });
  const done = make('button', { type: 'button', className: 'primary' }, words.keyKept);
  done.addEventListener('click', () => dialog.close());
  const dialog = openDialog(words.keyMade(made.name), [
    make('p', {}, words.keyShownOnce),
    copyable(made.key, words.key),
    make('div', { className: 'buttons' }, toPhone, done),
  ]);
  dialog.root.classList.add('new-key');
  done.focus();
}

/** Makes a link that signs another device in with a key, and shows it as a QR code. */
export async function openLink({ id, name }: Pick<Key, 'id' | 'name'>): Promise<void> {
  const body = make('div', { className: 'sign-in-link' }, make('p', { role: 'status' }, words.makingLink));
  const dialog = openDialog(words.signInAs(name), [body]);
  dialog.root.classList.add('question');
  try {
    // Only who makes a link pays for what draws it.
    const [{ drawQrCode }, { token, minutes, urls }] = await Promise.all([
      import('./qr-code.js'),
      call<{ token: string; minutes: number; urls: string[] }>('POST', `/api/v1/keys/${id}/link`),
    ]);
    const address = linkAddress(location.origin, urls, token);
    if (address === undefined) {
      body.replaceChildren(make('p', {}, words.onlyThisMachine));
      return;
    }
    body.replaceChildren(
      make('p', {}, words.scanIt(minutes)),
      make('div', { className: 'qr-ground' }),
      copyable(address, words.signInLink),
      make('p', { className: 'quiet-text' }, words.certificateWarning),
    );
    body.querySelector('.qr-ground')?.append(drawQrCode(address, words.qrOf(name)));
  } catch (error) {
    body.replaceChildren(make('p', { className: 'outcome bad', role: 'alert' }, messageOf(error)));
  }
}

/** Ties a key to groups, or frees it. */
export async function openGroups({ id, name, groups }: Key, onDone: () => void): Promise<void> {
  const fields = await groupFields(groups);
  openForm(words.groupsOf(name), [fields.root], words.save, async () => {
    await call('PATCH', `/api/v1/keys/${id}`, { json: { groups: fields.read() } });
    onDone();
  });
}

/** Revokes a key at once, so it asks for the key's name first: a delay with an undo would let a lost phone go on. */
export function openRevoke({ id, name }: Key, onDone: () => void): void {
  const typed = make('input', { id: 'revoke-name', autocomplete: 'off', autocapitalize: 'off', spellcheck: false });
  const parts = [make('p', {}, words.revokeExplained), field(words.typeName(name), typed, '')];
  openForm(words.revokeTitle(name), parts, words.revoke, async () => {
    if (typed.value.normalize('NFKC').trim() !== name) {
      typed.focus();
      throw new Error(words.nameDiffers(name));
    }
    await call('DELETE', `/api/v1/keys/${id}`);
    onDone();
  });
}
