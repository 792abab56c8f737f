import { ACCESS } from './en/access.js';
import { CAMERA } from './en/camera.js';
import { CHECK } from './en/check.js';
import { DOCS } from './en/docs.js';
import { ENROLMENT } from './en/enrolment.js';
import { ERRORS } from './en/errors.js';
import { FRAME } from './en/frame.js';
import { PEOPLE } from './en/people.js';
import { RECOGNITION } from './en/recognition.js';
import { SERVER } from './en/server.js';
import { SIGN_IN } from './en/sign-in.js';
import { STATUS } from './en/status.js';
import { TODAY } from './en/today.js';

/** Every text of the pages, in English: a file for each page. A text that needs a name or a number is a function. */
export const EN = {
  ...FRAME,
  ...CAMERA,
  ...SERVER,
  ...RECOGNITION,
  ...ENROLMENT,
  ...PEOPLE,
  ...STATUS,
  ...TODAY,
  ...SIGN_IN,
  ...ACCESS,
  ...CHECK,
  ...DOCS,
  ...ERRORS,
};

/** What every language must have: the same keys, texts where English has texts, functions of the same arguments. */
export type Words = typeof EN;
