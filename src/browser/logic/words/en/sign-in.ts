/** Texts of `/signin`, in English. */
export const SIGN_IN = {
  signIn: 'Sign in',
  signingIn: 'Signing in…',
  signInExplained:
    'This server asks for a key. On its machine, `npx kaomon keys add` creates one, and `npx kaomon keys link` prints a link that signs you in.',
  key: 'Key',
  signOut: 'Sign out',
  signedInAs: (name: string) => `Signed in as ${name}.`,
  signInInstead: (name: string) =>
    `You are signed in as ${name}. The link that you opened signs you in again, perhaps as somebody else, and ends your present session.`,
  stayAsIAm: 'Stay signed in',
  replaceSession: 'Sign in with the link',
  noKeyNeeded: 'This server does not ask for a key.',
};
