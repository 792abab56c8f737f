import { allowedOf, allows, goesWithSession, isSameKey, type Need, type Session } from '../logic/rights.js';
import { ApiError, call, currentSession, forgetSession, goToSignIn } from './api.js';
import { make } from './dom.js';
import { words } from './i18n.js';

export type { Need, Role, Session } from '../logic/rights.js';

/** What this tab knew last, so that its next page shows at once what the key may use. */
const REMEMBERED = 'kaomon.may';
/** How often a server that does not answer is asked again, milliseconds. */
const AGAIN = 3000;

/** Tabs tell one another of signing in and out. */
const channel = new BroadcastChannel('kaomon.session');
const listeners = new Set<(session: Session) => void>();
const before: (() => unknown)[] = [];
let known: Session | undefined;

/** Who is signed in; asked once per page. @throws ApiError when the server does not answer */
export async function session(): Promise<Session> {
  const found = await currentSession();
  if (found !== known) {
    known = found;
    show(allowedOf(found));
    for (const listener of listeners) listener(found);
  }
  return found;
}

/** Whether the key may do this; false as long as it is not known. */
export function may(need: Need): boolean {
  return known !== undefined && allows(known, need);
}

/** The same, once it is known. @throws ApiError when the server does not answer */
export async function whetherMay(need: Need): Promise<boolean> {
  return allows(await session(), need);
}

/** The groups that the key is tied to; undefined: all, or not known yet. */
export function tiedTo(): readonly string[] | undefined {
  return known?.groups ?? undefined;
}

/** Called with each answer about who is signed in, with the present one too if there is one. */
export function onSession(listener: (session: Session) => void): void {
  listeners.add(listener);
  if (known) listener(known);
}

/**
 * Asks who is signed in. From then on `data-may` of the root element lists what the key may, and styles/rights.css hides
 * whatever needs more (`data-needs`). Called once by each page.
 */
export function watchSession(): void {
  try {
    const last = sessionStorage.getItem(REMEMBERED);
    if (last !== null) document.documentElement.dataset.may = last;
  } catch {
    // The page then waits for the answer.
  }
  ask();
  channel.addEventListener('message', ({ data }: MessageEvent<'in' | 'out'>) => {
    if (data === 'out') leave();
    else askAgain();
  });
  // A page that the browser kept whole, and that Back brings up again.
  window.addEventListener('pageshow', ({ persisted }) => {
    if (persisted) askAgain();
  });
}

function ask(): void {
  session().catch((error: unknown) => {
    if (!(error instanceof ApiError)) throw error;
    window.setTimeout(ask, AGAIN);
  });
}

/** Somebody may have signed in as somebody else, or signed out. */
function askAgain(): void {
  const previous = known;
  forgetSession();
  session().then(
    (now) => {
      if (now.auth === 'key' && !now.signedIn) leave();
      else if (previous && !isSameKey(previous, now)) location.reload();
    },
    () => undefined,
  );
}

function show(allowed: string): void {
  document.documentElement.dataset.may = allowed;
  try {
    sessionStorage.setItem(REMEMBERED, allowed);
  } catch {
    // Only for the next page's first moment.
  }
}

/** Runs something before the session ends, while it may still be done: a deletion that can still be undone, say. */
export function beforeSignOut(run: () => unknown): void {
  before.push(run);
}

/** To be called after signing in: the other tabs ask who it is. */
export function tellOfSignIn(): void {
  forgetSession();
  known = undefined;
  channel.postMessage('in');
}

/**
 * Ends the session, on every tab, and forgets what this browser remembered of it.
 * @throws ApiError when the server does not answer: the session then goes on
 */
export async function signOut(): Promise<void> {
  for (const run of before) await run();
  try {
    await call('DELETE', '/api/v1/session', { stayHere: true });
  } catch (error) {
    // It has ended already.
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
  }
  channel.postMessage('out');
  forgetTraces();
  document.body.replaceChildren();
  location.replace('/signin?out');
}

/** In a tab whose session was ended elsewhere: nothing of what it shows stays. */
function leave(): void {
  forgetTraces();
  document.body.replaceChildren();
  // Without what stands behind the question mark, which may name somebody.
  if (location.pathname === '/signin') location.reload();
  else location.replace(`/signin?out&next=${encodeURIComponent(location.pathname)}`);
}

function forgetTraces(): void {
  try {
    for (const key of Object.keys(localStorage)) {
      if (goesWithSession(key)) localStorage.removeItem(key);
    }
    sessionStorage.clear();
  } catch {
    // Then it had remembered nothing.
  }
}

/**
 * For a page that a key may not use at all: says so in place of its content.
 * @returns whether it may
 * @throws ApiError when the server does not answer
 */
export async function pageNeeds(need: Need): Promise<boolean> {
  const now = await session();
  if (allows(now, need)) return true;
  // The page's first request leads to the sign-in page.
  if (now.auth === 'key' && !now.signedIn) {
    goToSignIn();
    return false;
  }
  document
    .getElementById('content')
    ?.replaceChildren(
      make(
        'section',
        { className: 'card narrow', data: { refused: need } },
        make('h1', {}, words.notWithThisKey),
        make('p', {}, `${keyMay(now)}${words.sentenceSpace}${words.pageNeeds[need]}`),
        make('a', { className: 'button', href: '/' }, words.toRecognition),
      ),
    );
  return false;
}

function keyMay({ role = 'admin', groups }: Session): string {
  return role === 'admin' && groups ? words.notForTied : words.keyMay[role];
}
