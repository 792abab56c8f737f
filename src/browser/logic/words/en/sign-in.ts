/** Texts of `/signin`, in English. */
export const SIGN_IN = {
  signIn: 'Sign in',
  signingIn: 'Signing in…',
  signInExplained:
    'This server asks for a key. Ask whoever looks after it for one, or for a link that signs you in. On the server itself, `npx kaomon keys link` prints such a link.',
  key: 'Key',
  signOut: 'Sign out',
  showKey: 'Show the key',
  keyUnknown: 'This key is not known: it is mistyped, or it has been revoked.',
  linkUsed: 'This link has been used or has expired. Ask for another one.',
  keyCut: 'Part of the key is missing, or there is something behind it. A key has 58 characters.',
  notAKey: 'This is not a key: one begins with kao_.',
  tooManyKeys: (minutes: number) =>
    `Too many wrong keys came from here. Try again in ${minutes === 1 ? 'a minute' : `${minutes} minutes`}.`,
  signedOut: 'You are signed out, and this browser has forgotten what it showed.',
  signedInTitle: 'You are signed in',
  goOn: 'Continue',
  useAnotherKey: 'Use another key',
  signedInAs: (name: string) => `Signed in as ${name}.`,
  signInInstead: (name: string) =>
    `You are signed in as ${name}. The link that you opened signs you in again, perhaps as somebody else, and ends your present session.`,
  stayAsIAm: 'Stay signed in',
  replaceSession: 'Sign in with the link',
  noKeyNeeded: 'This server does not ask for a key.',
};
