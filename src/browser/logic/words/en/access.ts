/** Texts about what a key may do, and of `/keys`, in English. */
export const ACCESS = {
  roles: { recognise: 'Recognises', enrol: 'Enrols', admin: 'Administrator' },
  keyMay: {
    recognise: 'This key may only recognise.',
    enrol: 'This key may recognise people and enrol them.',
    admin: 'This key may do everything.',
  },
  /** Follows `keyMay`. */
  roleNeeded: {
    recognise: '',
    enrol: 'To change people, sign in with a key that may enrol.',
    admin: 'That is for administrators.',
  },
  onlyInGroups: (groups: string) => `Only in these groups: ${groups}.`,
  notForGroup: (groupid: string) => `This key is not for the group ${groupid}.`,
  notForTied: 'This key is tied to groups, so it may not do what concerns all of them.',
  notWithThisKey: 'Not with this key',
  /** Follows `keyMay`. */
  pageNeeds: {
    recognise: '',
    enrol: 'To enrol people, sign in with a key that may enrol.',
    admin: 'This page is for administrators.',
    keys: 'This page is for administrators of all groups.',
    session: '',
  },
  toRecognition: 'Go to Recognise',
  notSignedOut: 'You are still signed in.',
  keys: 'Keys',
};
