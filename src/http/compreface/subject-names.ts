import { KaomonError } from '../../platform/errors.js';
import { deriveId, faceIdOf, splitFaceId } from '../../gallery/ids.js';
import { checkName, normaliseName } from '../../gallery/names.js';
import type { Gallery, Person } from '../../gallery/types.js';

/** Longest subject, characters: the width of CompreFace's column. */
export const MAX_SUBJECT = 255;

/** As in CompreFace, names that differ only in case are one subject; so are names that look the same. */
const keyOf = (subject: string) => normaliseName(subject).toLowerCase();

/**
 * A new subject, as it is stored.
 * @throws KaomonError FIELD_INVALID for `.` and `..`, which programs remove from an address, and for what no name may
 *   contain
 */
export function checkSubject(subject: string): string {
  const kept = checkName(subject, 'subject');
  if (kept !== '.' && kept !== '..') return kept;
  throw new KaomonError('FIELD_INVALID', 'A subject cannot be "." or "..": no address can name it.', {
    details: { field: 'subject' },
  });
}

/**
 * The people of one group under CompreFace's names. A subject is any text: it is the person's username, and the
 * userid is the same text where it is fit to be one, else a derived ID that never changes afterwards, so that a
 * renamed subject keeps its faces' IDs. Two people whom somebody else gave one username are told apart by the userid
 * behind it, in brackets.
 */
export class SubjectNames {
  readonly #byKey = new Map<string, { subject: string; person: Person }>();
  readonly #subjects = new Map<string, string>();

  constructor(
    private readonly gallery: Pick<Gallery, 'people' | 'person'>,
    readonly groupid: string,
  ) {
    for (const person of gallery.people()) if (person.groupid === groupid) this.#add(person);
  }

  #add(person: Person): void {
    let subject = person.username || person.userid;
    for (let i = 1; this.#byKey.has(keyOf(subject)); i++) {
      subject = `${person.username} (${person.userid}${i > 1 ? ` ${i}` : ''})`;
    }
    this.#byKey.set(keyOf(subject), { subject, person });
    this.#subjects.set(person.faceid, subject);
  }

  /** All subjects, in the order of the people. */
  list(): string[] {
    return [...this.#subjects.values()];
  }

  people(): Person[] {
    return [...this.#byKey.values()].map(({ person }) => person);
  }

  /** A person's subject. @param person of this group */
  nameOf(person: Person): string {
    return this.#subjects.get(person.faceid) ?? person.username;
  }

  find(subject: string): Person | undefined {
    return this.#byKey.get(keyOf(subject))?.person;
  }

  /** @throws KaomonError PERSON_UNKNOWN */
  require(subject: string): Person {
    const person = this.find(subject);
    if (person) return person;
    throw new KaomonError('PERSON_UNKNOWN', `There is no subject "${subject}".`);
  }

  /** A free userid for a new subject: the subject itself where it is fit, else one derived from it. */
  newUserid(subject: string): string {
    const candidates = [subject, ...deriveIds(subject)];
    const free = (userid: string) => {
      const faceid = faceIdOf(this.groupid, userid);
      return splitFaceId(faceid) && !this.gallery.person(faceid);
    };
    const userid = candidates.find(free);
    if (userid === undefined) throw new Error(`No free userid was found for a subject.`);
    return userid;
  }
}

/** At most 64 characters. */
function deriveIds(subject: string): string[] {
  const id = deriveId(subject);
  return [id, ...Array.from({ length: 99 }, (_, i) => `${id}_${i + 2}`)];
}
