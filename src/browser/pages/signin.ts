import { call, currentSession, forgetSession, sentenceOf, type Session } from '../lib/api.js';
import { element } from '../lib/dom.js';
import { words } from '../lib/i18n.js';
import { openPage } from '../lib/shell.js';
import { keyOf, safeNext } from '../logic/sign-in.js';

openPage(words.signIn);

const form = element('form', HTMLFormElement);
const key = element('key', HTMLInputElement);
const send = element('send', HTMLButtonElement);
const leave = element('leave', HTMLButtonElement);
const say = element('say', HTMLElement);

async function signIn(secret: string): Promise<void> {
  send.disabled = true;
  say.className = 'outcome';
  say.textContent = words.signingIn;
  try {
    await call<Session>('POST', '/api/v1/session', { json: { key: secret }, stayHere: true });
    location.replace(safeNext(new URLSearchParams(location.search).get('next')));
  } catch (error) {
    say.className = 'outcome bad';
    say.textContent = sentenceOf(error);
    key.select();
  } finally {
    send.disabled = false;
  }
}

function showSession({ auth, signedIn, name = '' }: Session): void {
  const inside = auth === 'none' || signedIn;
  if (inside) say.textContent = auth === 'none' ? words.noKeyNeeded : words.signedInAs(name);
  leave.hidden = auth === 'none' || !signedIn;
  // A server that asks for no key must not say that it does.
  for (const part of form.querySelectorAll<HTMLElement>('p:not(#say), label, #send'))
    part.hidden = auth === 'none';
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  void signIn(key.value.trim());
});
leave.addEventListener('click', () => {
  call('DELETE', '/api/v1/session', { stayHere: true }).then(
    () => {
      forgetSession();
      location.reload();
    },
    (error: unknown) => (say.textContent = sentenceOf(error)),
  );
});

/** Signs in by the key in the address, if there is one. @returns whether there was */
function signInByAddress(): boolean {
  const given = keyOf(location.hash);
  if (given === undefined) return false;
  // Out of the address bar and the history before anything else: the key stands for the reader.
  history.replaceState(null, '', location.pathname + location.search);
  void signIn(given);
  return true;
}

// The link may be opened where this page is open already: then only the part behind the # changes.
window.addEventListener('hashchange', signInByAddress);
if (!signInByAddress()) {
  currentSession().then(showSession, (error: unknown) => (say.textContent = sentenceOf(error)));
  key.focus();
}
