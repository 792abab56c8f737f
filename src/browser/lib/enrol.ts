import { newIds } from '../logic/person-id.js';
import { ApiError, call, messageOf } from './api.js';
import { openDialog } from './dialog.js';
import { make } from './dom.js';
import { words } from './i18n.js';
import { listPeople, type Person, removePerson } from './people-api.js';
import type { NewPerson } from './person-fields.js';

/** As many pictures, and bytes, go into one request as the server takes at its default settings. */
const TOGETHER = { pictures: 16, bytes: 24_000_000 };
/** What these say is not the picture's fault: it can be sent again. */
const PASSING = new Set(
  'BUSY CLIENT_GONE CLOSING GONE INTERNAL NO_MODEL STORAGE_FULL STORE_UNAVAILABLE TOO_MANY_REQUESTS TOO_SLOW UNAUTHORISED'.split(
    ' ',
  ),
);
/** Names tried for a new person's ID: more namesakes than a group has. */
const MOST_IDS = 1000;

/** What became of a picture. */
export type Outcome = { status: 'enrolled' | 'already' } | { status: 'refused'; error: ApiError };

interface Entry {
  status: 'enrolled' | 'already' | 'refused';
  error?: { code: string; message: string; details?: Record<string, unknown> };
}

/** Whether an error passes by itself, or when somebody has signed in: nothing is wrong with what was sent. */
export function isPassing(error: unknown): boolean {
  return error instanceof ApiError && (PASSING.has(error.code) || error.status >= 500);
}

/**
 * Gives a person whose ID was left empty one that nobody has, and makes the person under it, so that no two receptions can take
 * the same.
 * @returns `made`: the person is new and has no pictures
 * @throws ApiError
 */
export async function settlePerson(person: NewPerson): Promise<{ person: NewPerson; made: boolean }> {
  if (person.userid !== '') return { person, made: false };
  const { groupid, username } = person;
  const { total } = await listPeople({ group: groupid, search: '', offset: 0, limit: 1 });
  let tried = 0;
  for (const userid of newIds(username, total)) {
    const named = { groupid, userid, username };
    try {
      await call('POST', '/api/v1/people', { json: named });
      return { person: named, made: true };
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'PERSON_EXISTS' || ++tried >= MOST_IDS) throw error;
      // Somebody of this name without a picture: made by a call whose answer was lost, or to be enrolled again.
      const there = await call<Person>('GET', `/api/v1/people/${groupid}-${userid}`).catch(() => undefined);
      if (there?.username === username && there.faces === 0) return { person: named, made: true };
    }
  }
  throw new Error('There is no ID left.');
}

/** Removes a person whom `settlePerson` made and of whom no picture could be stored. It matters little if that fails. */
export async function unmakePerson({ groupid, userid }: NewPerson): Promise<void> {
  await removePerson(`${groupid}-${userid}`, false).catch(() => undefined);
}

/**
 * Sends a person's pictures together, so that the server can compare them with one another.
 * @returns what became of each, in order
 * @throws ApiError when none was looked at
 */
export async function sendPictures(
  person: NewPerson,
  pictures: readonly Blob[],
  { force = false } = {},
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  while (outcomes.length < pictures.length) {
    const body = new FormData();
    if (person.username !== '') body.append('username', person.username);
    let bytes = 0;
    for (const picture of pictures.slice(outcomes.length, outcomes.length + TOGETHER.pictures)) {
      bytes += picture.size;
      if (body.has('image') && bytes > TOGETHER.bytes) break;
      body.append('image', picture, 'picture.jpg');
    }
    const path = `/api/v1/people/${person.groupid}-${person.userid}/faces?create=true${force ? '&force=true' : ''}`;
    try {
      const { results } = await call<{ results: Entry[] }>('POST', path, { body });
      outcomes.push(...results.map(toOutcome));
    } catch (error) {
      // None could be used: the answer has an entry for each.
      if (!(error instanceof ApiError)) throw error;
      const results = error.results as Entry[] | undefined;
      const count = body.getAll('image').length;
      if (results?.length === count) outcomes.push(...results.map(toOutcome));
      else if (outcomes.length === 0) throw error;
      else outcomes.push(...Array.from({ length: count }, () => ({ status: 'refused' as const, error })));
    }
  }
  return outcomes;
}

/**
 * As `sendPictures`, for a user who was asked about people who look alike: a picture that the server takes for one whom the user
 * ruled out is sent again by force. By then the server has compared the pictures with one another.
 */
export async function sendPicturesKnowing(
  person: NewPerson,
  pictures: readonly Blob[],
  { force, isDenied }: { force: boolean; isDenied: (faceid: string) => boolean },
): Promise<Outcome[]> {
  const outcomes = await sendPictures(person, pictures, { force });
  const errorOf = (outcome: Outcome) => (outcome.status === 'refused' ? outcome.error : undefined);
  if (force || outcomes.some((outcome) => errorOf(outcome)?.code === 'NOT_THE_SAME_PERSON')) return outcomes;
  const again = outcomes.flatMap((outcome, i) => {
    const error = errorOf(outcome);
    return error?.code === 'OTHER_PERSON' && isDenied(String(error.details?.faceid)) ? [i] : [];
  });
  if (again.length === 0) return outcomes;
  const forced = await sendPictures(
    person,
    again.map((i) => pictures[i]),
    { force: true },
  );
  again.forEach((i, at) => (outcomes[i] = forced[at]));
  return outcomes;
}

function toOutcome({ status, error }: Entry): Outcome {
  if (status !== 'refused') return { status };
  return {
    status,
    error: new ApiError(422, error?.code ?? '', error?.message ?? '', error?.details),
  };
}

/**
 * Enrols one picture, and creates the person when there is none. For a face that is enrolled under another person it asks
 * first whose the picture is.
 * @returns whether the person had this picture before, and whose it is now; undefined when the user closed the question
 * @throws ApiError
 */
export async function enrolPicture(
  typed: NewPerson,
  picture: Blob,
): Promise<{ already: boolean; name: string } | undefined> {
  const { person, made } = await settlePerson(typed);
  const name = person.username || person.userid;
  const [outcome] = await sendPictures(person, [picture]);
  if (outcome.status !== 'refused') return { already: outcome.status === 'already', name };
  const { error } = outcome;
  const faceid = error.code === 'OTHER_PERSON' ? error.details?.faceid : undefined;
  try {
    if (typeof faceid !== 'string') throw error;
    const other = await call<Person>('GET', `/api/v1/people/${faceid}`);
    const choice = await askWhose(other);
    if (choice === undefined) return undefined;
    const to = choice === 'them' ? { groupid: other.groupid, userid: other.userid, username: '' } : person;
    const [second] = await sendPictures(to, [picture], { force: choice === 'other' });
    if (second.status === 'refused') throw second.error;
    return { already: second.status === 'already', name: choice === 'them' ? other.username : name };
  } finally {
    if (made) await dropIfEmpty(person);
  }
}

async function dropIfEmpty(person: NewPerson): Promise<void> {
  const there = await call<Person>('GET', `/api/v1/people/${person.groupid}-${person.userid}`).catch(
    () => undefined,
  );
  if (there?.faces === 0) await unmakePerson(person);
}

/** @returns `them`: it is the person whom the server sees; `other`: it is somebody else; undefined: closed */
function askWhose({ username, userid }: Person): Promise<'them' | 'other' | undefined> {
  return new Promise((resolve) => {
    let choice: 'them' | 'other' | undefined;
    const choose = (made: typeof choice) => () => {
      choice = made;
      dialog.close();
    };
    const name = username || userid;
    const add = make('button', { type: 'button', className: 'primary' }, words.addToThem(name));
    const other = make('button', { type: 'button' }, words.somebodyElse);
    add.addEventListener('click', choose('them'));
    other.addEventListener('click', choose('other'));
    const dialog = openDialog(
      words.thisIsAlready(name),
      [make('div', { className: 'buttons' }, other, add)],
      () => resolve(choice),
    );
    dialog.root.classList.add('question');
  });
}

/** Why a picture was refused, in the page's language. */
export function reasonOf(error: ApiError): string {
  const { distance, threshold } = error.details ?? {};
  const isMeasured = error.code === 'NOT_THE_SAME_PERSON' && typeof distance === 'number';
  return isMeasured && typeof threshold === 'number'
    ? words.howFar(messageOf(error), distance, threshold)
    : messageOf(error);
}
