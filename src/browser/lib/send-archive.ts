import { createLines } from '../logic/lines.js';
import { ApiError, currentSession, goToSignIn } from './api.js';
import { words } from './i18n.js';

/** A line of the answer; see the route's description. */
interface Line {
  done?: { people: number };
  of?: { people: number };
  report?: object;
  error?: { code: string; message: string };
}

/**
 * Sends an archive to be imported. Not by `fetch`, which does not say how much was sent.
 * @param say called with how far it is, in words
 * @throws ApiError
 */
export async function sendArchive(archive: Blob, say: (text: string) => void): Promise<void> {
  const { csrf } = await currentSession();
  const request = new XMLHttpRequest();
  const lines = createLines();
  let last: Line = {};
  let started: number | undefined;
  const read = () => {
    for (const text of lines.next(request.responseText)) {
      last = JSON.parse(text) as Line;
      const { done, of } = last;
      if (!done || !of) continue;
      started ??= performance.now();
      const rate = Math.round(done.people / Math.max(0.1, (performance.now() - started) / 1000));
      say(words.importingPeople(done.people, of.people, rate));
    }
  };
  await new Promise<void>((resolve, reject) => {
    request.open('POST', '/api/v1/import');
    // The route wants a zip's type; the browser may not know the file's, or give it another.
    request.setRequestHeader('content-type', 'application/zip');
    request.setRequestHeader('accept', 'application/x-ndjson, application/json');
    if (csrf !== undefined) request.setRequestHeader('x-csrf-token', csrf);
    request.upload.onprogress = ({ loaded, total }) => {
      say(loaded < total ? words.importing(Math.floor((loaded / total) * 100)) : words.checkingArchive);
    };
    request.onprogress = () => {
      if (request.status === 200) read();
    };
    request.onerror = () => reject(new ApiError(0, 'GONE', words.errors.GONE));
    request.onload = () => resolve();
    request.send(archive);
  });
  if (request.status === 401) goToSignIn();
  if (request.status !== 200) throw refusalOf(request);
  read();
  if (last.error) throw new ApiError(request.status, last.error.code, last.error.message);
  // Cut off in between, as by a proxy: sent again it goes on.
  if (!last.report) throw new ApiError(0, 'GONE', words.errors.GONE);
}

function refusalOf({ status, responseText, statusText }: XMLHttpRequest): ApiError {
  let body: { code?: unknown; message?: unknown } = {};
  try {
    body = JSON.parse(responseText) as typeof body;
  } catch {
    // Not JSON: a proxy's own error page.
  }
  const code = typeof body.code === 'string' ? body.code : `HTTP_${status}`;
  return new ApiError(
    status,
    code,
    typeof body.message === 'string' ? body.message : `${status} ${statusText}`,
  );
}
