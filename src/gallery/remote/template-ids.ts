/** Ids of templates in a vector engine. A changed template gets a new one, so that the same id always has the same vector. */
import { randomBytes } from 'node:crypto';
import { personOfFace } from '../face-name.js';

/** No face's ID begins with it. */
const MARK = '~';

export const isTemplate = (id: string): boolean => id.startsWith(MARK);

export const templateId = (faceid: string, part = randomBytes(5).toString('hex')): string =>
  `${MARK}${faceid}${MARK}${part}`;

/** Whose vector has this id: the faceid. */
export const ownerOfId = (id: string): string =>
  isTemplate(id) ? id.slice(1, id.lastIndexOf(MARK)) : personOfFace(id);
