import { ApiError, call } from './api.js';
import { confirmWith } from './dialog.js';
import { words } from './i18n.js';
import type { NewPerson } from './person-fields.js';

/**
 * Enrols one picture, and creates the person when there is none. For a face that is enrolled under another person it asks
 * first.
 * @param force do not ask: the user has agreed to it for this person
 * @returns whether the user agreed to it, and whether the person had this picture before; undefined when the user declined
 * @throws ApiError
 */
export async function enrolPicture(
  person: NewPerson,
  picture: Blob,
  force = false,
): Promise<{ forced: boolean; already: boolean } | undefined> {
  const body = new FormData();
  if (person.username !== '') body.append('username', person.username);
  body.append('image', picture, 'picture.jpg');
  const path = `/api/v1/people/${person.groupid}-${person.userid}/faces?create=true${force ? '&force=true' : ''}`;
  try {
    const { results } = await call<{ results: { status: string }[] }>('POST', path, { body });
    return { forced: force, already: results[0].status === 'already' };
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'OTHER_PERSON' || force) throw error;
    const other = typeof error.details?.faceid === 'string' ? error.details.faceid : undefined;
    const name = other === undefined ? undefined : await nameOf(other);
    const agreed = await confirmWith(
      words.otherPersonTitle,
      name === undefined ? words.otherPerson : words.otherPersonNamed(name),
      { yes: words.enrolAnyway, danger: true },
    );
    return agreed ? enrolPicture(person, picture, true) : undefined;
  }
}

async function nameOf(faceid: string): Promise<string> {
  try {
    const { username } = await call<{ username: string }>('GET', `/api/v1/people/${faceid}`);
    return `${username} (${faceid})`;
  } catch {
    return faceid;
  }
}
