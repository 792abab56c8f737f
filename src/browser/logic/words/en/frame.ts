/** Texts of what stands around every page, in English. */
export const FRAME = {
  appName: 'Kaomon',
  navigation: 'Pages',
  recognition: 'Recognise',
  enrolment: 'Enrol',
  people: 'People',
  status: 'Status',
  skipToContent: 'Skip to the content',
  close: 'Close',
  cancel: 'Cancel',
  tryAgain: 'Try again',
  details: 'Details',
  group: 'Group',
  userid: 'ID',
  username: 'Name',
  useridHint: 'Up to 64 letters, digits, _ or .',
  reading: 'Reading…',
};
