import { call, currentSession, forgetSession, sentenceOf, type Session } from '../lib/api.js';
import { element } from '../lib/dom.js';
import { words } from '../lib/i18n.js';
import { openPage } from '../lib/shell.js';
import { type Credential, credentialOf, safeNext } from '../logic/sign-in.js';

openPage(words.signIn);

const form = element('form', HTMLFormElement);
const key = element('key', HTMLInputElement);
const send = element('send', HTMLButtonElement);
const leave = element('leave', HTMLButtonElement);
const say = element('say', HTMLElement);
const ask = element('ask', HTMLElement);
const question = element('question', HTMLElement);
const replace = element('replace', HTMLButtonElement);
const stay = element('stay', HTMLButtonElement);

function goOn(): void {
  location.replace(safeNext(new URLSearchParams(location.search).get('next')));
}

async function signIn(credential: Credential): Promise<void> {
  send.disabled = true;
  say.className = 'outcome';
  say.textContent = words.signingIn;
  try {
    await call<Session>('POST', '/api/v1/session', { json: credential, stayHere: true });
    goOn();
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
  void signIn({ key: key.value.trim() });
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

/**
 * Signs in by what an address holds. Anybody can make somebody open an address: who is signed in is asked first, or would
 * go on as somebody else without noticing.
 */
async function signInBy(credential: Credential): Promise<void> {
  forgetSession();
  const { auth, signedIn, name = '' } = await currentSession();
  if (auth === 'none') goOn();
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

/** Signs in by the address, if it holds something to do it by. @returns whether it did */
function signInByAddress(): boolean {
  const given = credentialOf(location.hash);
  if (given === undefined) return false;
  // Out of the address bar and the history before anything else: it stands for the reader.
  history.replaceState(null, '', location.pathname + location.search);
  signInBy(given).catch((error: unknown) => (say.textContent = sentenceOf(error)));
  return true;
}
stay.addEventListener('click', goOn);

// The link may be opened where this page is open already: then only the part behind the # changes.
window.addEventListener('hashchange', signInByAddress);
if (!signInByAddress()) {
  currentSession().then(showSession, (error: unknown) => (say.textContent = sentenceOf(error)));
  key.focus();
}
