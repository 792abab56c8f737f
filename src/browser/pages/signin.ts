import { ApiError, call, currentSession, forgetSession, messageOf, type Session } from '../lib/api.js';
import { withCode } from '../lib/code.js';
import { element } from '../lib/dom.js';
import { words } from '../lib/i18n.js';
import { signOut, tellOfSignIn } from '../lib/session.js';
import { openPage } from '../lib/shell.js';
import { type Credential, credentialOf, readKey, safeNext } from '../logic/sign-in.js';

openPage();

const form = element('form', HTMLFormElement);
const key = element('key', HTMLInputElement);
const show = element('show', HTMLInputElement);
const send = element('send', HTMLButtonElement);
const again = element('again', HTMLButtonElement);
const here = element('here', HTMLElement);
const who = element('who', HTMLElement);
const go = element('go', HTMLButtonElement);
const other = element('other', HTMLButtonElement);
const leave = element('leave', HTMLButtonElement);
const say = element('say', HTMLElement);
const ask = element('ask', HTMLElement);
const question = element('question', HTMLElement);
const replace = element('replace', HTMLButtonElement);
const stay = element('stay', HTMLButtonElement);
const parameters = new URLSearchParams(location.search);

element('explained', HTMLElement).replaceChildren(...withCode(words.signInExplained));
// Hidden until its text is there, so that nothing moves.
form.hidden = false;

function leavePage(): void {
  location.replace(safeNext(parameters.get('next')));
}

function tell(text: string, kind: '' | 'bad' | 'good' = ''): void {
  say.className = `outcome ${kind}`.trim();
  say.textContent = text;
  key.setAttribute('aria-invalid', String(kind === 'bad'));
}

/** Why a credential was refused. A key that is not known is not "nobody is signed in". */
function reasonOf(error: unknown, credential: Credential): string {
  if (!(error instanceof ApiError)) return messageOf(error);
  if (error.code === 'UNAUTHORISED') return 'token' in credential ? words.linkUsed : words.keyUnknown;
  if (error.code !== 'TOO_MANY_REQUESTS') return messageOf(error);
  return words.tooManyKeys(Math.max(1, Math.ceil((error.retryAfter ?? 60) / 60)));
}

async function signIn(credential: Credential): Promise<void> {
  send.disabled = true;
  again.hidden = true;
  tell(words.signingIn);
  try {
    await call<Session>('POST', '/api/v1/session', { json: credential, stayHere: true });
    tellOfSignIn();
    leavePage();
  } catch (error) {
    tell(reasonOf(error, credential), 'bad');
    offerAgain(error, credential);
    if ('key' in credential) key.select();
  } finally {
    send.disabled = false;
  }
}

/** A link's token is no longer in the address: when the server was away, it must not be lost. */
function offerAgain(error: unknown, credential: Credential): void {
  if (!('token' in credential) || !(error instanceof ApiError) || (error.status !== 0 && error.status < 500))
    return;
  again.hidden = false;
  again.onclick = () => void signInWith(credential);
  again.focus();
}

function showSession({ auth, signedIn, name = '', role = 'admin' }: Session): void {
  const asksForKey = auth === 'key';
  const isInside = !asksForKey || signedIn;
  here.hidden = !isInside;
  form.hidden = isInside;
  who.textContent = asksForKey
    ? `${words.signedInAs(name)}${words.sentenceSpace}${words.keyMay[role]}`
    : words.noKeyNeeded;
  // On a server that asks for no key, the page must not ask for one.
  leave.hidden = !asksForKey;
  other.hidden = !asksForKey;
  if (isInside) return;
  if (parameters.has('out')) tell(words.signedOut, 'good');
  key.focus();
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  const credential = readKey(key.value);
  if (typeof credential === 'object') {
    void signIn(credential);
    return;
  }
  tell(credential === 'cut' ? words.keyCut : words.notAKey, 'bad');
  key.select();
});
show.addEventListener('change', () => (key.type = show.checked ? 'text' : 'password'));
key.addEventListener('input', () => key.removeAttribute('aria-invalid'));
go.addEventListener('click', leavePage);
other.addEventListener('click', () => {
  here.hidden = true;
  form.hidden = false;
  key.focus();
});
leave.addEventListener('click', () => {
  signOut().catch((error: unknown) => tell(`${words.notSignedOut} ${messageOf(error)}`, 'bad'));
});

/**
 * Signs in with the credential from a link. Anybody can get somebody to open a link, so a user who is signed in is asked
 * first: otherwise they would carry on as somebody else without noticing.
 */
async function signInWith(credential: Credential): Promise<void> {
  forgetSession();
  try {
    const { auth, signedIn, name = '' } = await currentSession();
    if (auth === 'none') leavePage();
    else if (!signedIn) await signIn(credential);
    else {
      question.textContent = words.signInInstead(name);
      form.hidden = true;
      here.hidden = true;
      ask.hidden = false;
      replace.onclick = () => {
        ask.hidden = true;
        form.hidden = false;
        void signIn(credential);
      };
      stay.focus();
    }
  } catch (error) {
    tell(messageOf(error), 'bad');
    offerAgain(error, credential);
  }
}

/** Signs in with the credential in the URL. @returns whether there is one */
function signInWithUrl(): boolean {
  const credential = credentialOf(location.hash);
  if (credential === undefined) return false;
  // First of all it leaves the address bar and the history: whoever has it can sign in.
  history.replaceState(null, '', location.pathname + location.search);
  void signInWith(credential);
  return true;
}
stay.addEventListener('click', leavePage);

// The link may be opened in a tab that already shows this page: then only the part after the # changes.
window.addEventListener('hashchange', signInWithUrl);
if (!signInWithUrl()) {
  currentSession().then(showSession, (error: unknown) => tell(messageOf(error), 'bad'));
}
