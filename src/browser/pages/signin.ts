import { call, currentSession, forgetSession, messageOf, type Session } from '../lib/api.js';
import { element } from '../lib/dom.js';
import { words } from '../lib/i18n.js';
import { openPage } from '../lib/shell.js';
import { type Credential, credentialOf, safeNext } from '../logic/sign-in.js';

openPage();

const form = element('form', HTMLFormElement);
const key = element('key', HTMLInputElement);
const send = element('send', HTMLButtonElement);
const leave = element('leave', HTMLButtonElement);
const say = element('say', HTMLElement);
const ask = element('ask', HTMLElement);
const question = element('question', HTMLElement);
const replace = element('replace', HTMLButtonElement);
const stay = element('stay', HTMLButtonElement);

function leavePage(): void {
  location.replace(safeNext(new URLSearchParams(location.search).get('next')));
}

async function signIn(credential: Credential): Promise<void> {
  send.disabled = true;
  say.className = 'outcome';
  say.textContent = words.signingIn;
  try {
    await call<Session>('POST', '/api/v1/session', { json: credential, stayHere: true });
    leavePage();
  } catch (error) {
    say.className = 'outcome bad';
    say.textContent = messageOf(error);
    key.select();
  } finally {
    send.disabled = false;
  }
}

function showSession({ auth, signedIn, name = '' }: Session): void {
  const inside = auth === 'none' || signedIn;
  if (inside) say.textContent = auth === 'none' ? words.noKeyNeeded : words.signedInAs(name);
  leave.hidden = auth === 'none' || !signedIn;
  // On a server that asks for no key, the page must not ask for one.
  for (const part of form.querySelectorAll<HTMLElement>('p:not(#say), label, #send'))
    part.hidden = auth === 'none';
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  void signIn({ key: key.value.trim() });
});
leave.addEventListener('click', () => {
  call('DELETE', '/api/v1/session', { stayHere: true }).then(
    () => {
      forgetSession();
      location.reload();
    },
    (error: unknown) => (say.textContent = messageOf(error)),
  );
});

/**
 * Signs in with the credential from a link. Anybody can get somebody to open a link, so a user who is signed in is asked
 * first: otherwise they would carry on as somebody else without noticing.
 */
async function signInWith(credential: Credential): Promise<void> {
  forgetSession();
  const { auth, signedIn, name = '' } = await currentSession();
  if (auth === 'none') leavePage();
  else if (!signedIn) await signIn(credential);
  else {
    question.textContent = words.signInInstead(name);
    form.hidden = true;
    ask.hidden = false;
    replace.onclick = () => {
      ask.hidden = true;
      form.hidden = false;
      void signIn(credential);
    };
    stay.focus();
  }
}

/** Signs in with the credential in the URL. @returns whether there is one */
function signInWithUrl(): boolean {
  const credential = credentialOf(location.hash);
  if (credential === undefined) return false;
  // First of all it leaves the address bar and the history: whoever has it can sign in.
  history.replaceState(null, '', location.pathname + location.search);
  signInWith(credential).catch((error: unknown) => (say.textContent = messageOf(error)));
  return true;
}
stay.addEventListener('click', leavePage);

// The link may be opened in a tab that already shows this page: then only the part after the # changes.
window.addEventListener('hashchange', signInWithUrl);
if (!signInWithUrl()) {
  currentSession().then(showSession, (error: unknown) => (say.textContent = messageOf(error)));
  key.focus();
}
