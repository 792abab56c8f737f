import { KaomonError } from '../../platform/errors.js';
import { deriveId, faceIdOf, splitFaceId } from '../../gallery/ids.js';
import { checkName, normaliseName } from '../../gallery/names.js';
import type { Face, Gallery, Person } from '../../gallery/types.js';
import { hashOf, Hints } from './hints.js';
import { imageIdOf } from './image-ids.js';

/** Longest subject, characters: the width of CompreFace's column. */
export const MAX_SUBJECT = 255;

/** As in CompreFace, names that differ only in case are one subject; so are names that look the same. */
const keyOf = (subject: string) => normaliseName(subject).toLowerCase();

const plainNameOf = ({ username, userid }: Person) => username || userid;
const personKey = (person: Person) => keyOf(plainNameOf(person));

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
 * renamed subject keeps its faces' IDs. Of people whom somebody else gave one username the first has it for a subject,
 * and the others have the userid behind it, in brackets.
 *
 * Nobody can be asked for a person by name, so hints are kept: they are made when a subject is first asked for, by walking
 * over the group once, and then follow the gallery's changes.
 */
export class SubjectNames {
  /** By number; hints name people by it. */
  readonly #faceids: string[] = [];
  readonly #names = new Hints();
  readonly #images = new Hints();
  /** Of names that several people have, by their hash: who had it first when that was last looked at. */
  readonly #firsts = new Map<number, string>();
  #noted = 0;
  #made: Promise<void> | undefined;
  /** The last walk over the group after the first. */
  #walked: Promise<void> = Promise.resolve();
  /** Another one is to come. */
  #isAgain = false;

  constructor(
    private readonly gallery: Pick<Gallery, 'everyone' | 'person' | 'catchUp'>,
    readonly groupid: string,
  ) {}

  /** Resolves when there are hints of everybody. */
  #ready(): Promise<void> {
    this.#made ??= this.#make().catch((error: unknown) => {
      this.#made = undefined;
      throw error;
    });
    return this.#made;
  }

  /**
   * Anybody may be another, and somebody may have come. The hints that there are stay in use meanwhile; who is not found by
   * them is looked for again afterwards.
   */
  noteAll(): void {
    if (!this.#made || this.#isAgain) return;
    this.#isAgain = true;
    this.#walked = Promise.allSettled([this.#made, this.#walked])
      .then(() => {
        this.#isAgain = false;
        return this.#make();
      })
      .catch(() => undefined);
  }

  async #make(): Promise<void> {
    for await (const person of this.everyone()) this.note(person);
  }

  /** Somebody of this group has come or changed. Whoever has gone need not be noted. */
  note(person: Person): void {
    const hash = hashOf(personKey(person));
    let owner = this.#ownerOf(hash, person.faceid);
    if (owner === undefined) {
      owner = this.#faceids.push(person.faceid) - 1;
      this.#names.add(hash, owner);
      this.#firsts.delete(hash);
      this.#noted += 1;
    }
    for (const face of person.faces) this.#images.add(hashOf(imageIdOf(face)), owner);
  }

  #ownerOf(hash: number, faceid: string): number | undefined {
    for (const owner of this.#names.of(hash)) if (this.#faceids[owner] === faceid) return owner;
    return undefined;
  }

  /** Everybody of the group, by faceid. */
  everyone(signal?: AbortSignal): AsyncIterable<Person> {
    return this.gallery.everyone({ groups: new Set([this.groupid]), signal });
  }

  /** All subjects, in the order of the people. */
  async *list(signal?: AbortSignal): AsyncGenerator<string> {
    for await (const person of this.everyone(signal)) yield await this.nameOf(person);
  }

  /** A person's subject. @param person of this group */
  async nameOf(person: Person): Promise<string> {
    await this.#ready();
    const plain = plainNameOf(person);
    const hash = hashOf(keyOf(plain));
    let isShared = false;
    for (const owner of this.#names.of(hash)) isShared ||= this.#faceids[owner] !== person.faceid;
    if (!isShared) return plain;
    const first = await this.#firstOf(keyOf(plain));
    if (!first || first.faceid >= person.faceid) return plain;
    for (let i = 1; ; i++) {
      const subject = `${plain} (${person.userid}${i > 1 ? ` ${i}` : ''})`;
      if (!(await this.#firstOf(keyOf(subject)))) return subject;
    }
  }

  /** The first person, by faceid, who was given this name. */
  async #firstOf(key: string): Promise<Person | undefined> {
    const hash = hashOf(key);
    const known = this.#firsts.get(hash);
    const before = known === undefined ? undefined : await this.gallery.person(known);
    if (before && personKey(before) === key) return before;
    const noted = this.#noted;
    const owners = [...this.#names.of(hash)].sort((a, b) => (this.#faceids[a] < this.#faceids[b] ? -1 : 1));
    for (const owner of owners) {
      const person = await this.gallery.person(this.#faceids[owner]);
      const itsKey = person && personKey(person);
      if (itsKey === undefined || hashOf(itsKey) !== hash) this.#names.withdraw(hash, owner);
      if (itsKey !== key) continue;
      if (owners.length > 1 && noted === this.#noted) this.#firsts.set(hash, this.#faceids[owner]);
      return person;
    }
    return undefined;
  }

  /** Who a subject is, also where another worker has made it and this one has not heard of it yet. */
  async find(subject: string): Promise<Person | undefined> {
    await this.#ready();
    const key = keyOf(subject);
    const first = await this.#firstOf(key);
    if (first) return first;
    // A subject in brackets names its userid, and one that this surface made has one that follows from it.
    for (const userid of [inBrackets(subject), subject, deriveId(subject)]) {
      const faceid = faceIdOf(this.groupid, userid ?? '');
      const person = splitFaceId(faceid) && (await this.gallery.person(faceid));
      if (person && keyOf(await this.nameOf(person)) === key) return person;
    }
    return undefined;
  }

  /** As `find`, for what would be refused: nobody is passed over whom another worker has named by now. */
  async findAtLast(subject: string): Promise<Person | undefined> {
    const person = await this.find(subject);
    if (person) return person;
    await this.catchUp();
    return this.find(subject);
  }

  /** Resolves when whatever other workers have done by now can be found here. */
  async catchUp(): Promise<void> {
    await this.gallery.catchUp();
    await this.#walked;
  }

  /** As `find`, for what is refused or left out because of somebody: who is gone by now is not found. */
  async findStill(subject: string): Promise<Person | undefined> {
    if (!(await this.find(subject))) return undefined;
    await this.gallery.catchUp();
    return this.find(subject);
  }

  /** @throws KaomonError PERSON_UNKNOWN */
  async require(subject: string): Promise<Person> {
    const person = await this.findAtLast(subject);
    if (person) return person;
    throw new KaomonError('PERSON_UNKNOWN', `There is no subject "${subject}".`);
  }

  /** Whose face has an image_id, and which. */
  async findFace(imageId: string): Promise<{ person: Person; face: Face } | undefined> {
    await this.#ready();
    const hash = hashOf(imageId);
    for (const owner of [...this.#images.of(hash)]) {
      const person = await this.gallery.person(this.#faceids[owner]);
      const face = person?.faces.find((one) => imageIdOf(one) === imageId);
      if (person && face) return { person, face };
      if (!person?.faces.some((one) => hashOf(imageIdOf(one)) === hash)) this.#images.withdraw(hash, owner);
    }
    return undefined;
  }

  /** A free userid for a new subject: the subject itself where it is fit, else one derived from it. */
  async newUserid(subject: string): Promise<string> {
    for (const userid of candidatesFor(subject)) {
      const faceid = faceIdOf(this.groupid, userid);
      if (splitFaceId(faceid) && !(await this.gallery.person(faceid))) return userid;
    }
    throw new Error(`No free userid was found for a subject.`);
  }
}

/** What stands in brackets at a subject's end, without the number that may follow it. */
function inBrackets(subject: string): string | undefined {
  const at = subject.lastIndexOf(' (');
  return at < 0 || !subject.endsWith(')') ? undefined : subject.slice(at + 2, -1).split(' ')[0];
}

/** At most 64 characters each but for the first. */
function* candidatesFor(subject: string): Generator<string> {
  yield subject;
  const id = deriveId(subject);
  yield id;
  for (let i = 2; i <= 100; i++) yield `${id}_${i}`;
}
