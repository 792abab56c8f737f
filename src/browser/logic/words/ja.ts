import type { Words } from './en.js';
import { ACCESS } from './ja/access.js';
import { CAMERA } from './ja/camera.js';
import { CHECK } from './ja/check.js';
import { DOCS } from './ja/docs.js';
import { ENROLMENT } from './ja/enrolment.js';
import { ERRORS } from './ja/errors.js';
import { FRAME } from './ja/frame.js';
import { PEOPLE } from './ja/people.js';
import { RECOGNITION } from './ja/recognition.js';
import { SERVER } from './ja/server.js';
import { SIGN_IN } from './ja/sign-in.js';
import { STATUS } from './ja/status.js';
import { TODAY } from './ja/today.js';

/** Every text of the pages, in Japanese. */
export const JA: Words = {
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
