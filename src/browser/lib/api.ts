import type { Session } from '../logic/rights.js';
import { explainRefusal } from '../logic/refusals.js';
import { words } from './i18n.js';

export type { Session } from '../logic/rights.js';

/** The server refused, or it did not answer (status 0, code `GONE`). */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details?: Record<string, unknown>,
    /** Seconds. */
    readonly retryAfter?: number,
    /** Of a request with several pictures: an entry for each. */
    readonly results?: unknown,
  ) {
    super(message);
  }
}

/** Whether the same request may succeed later: the server is away or busy. */
export function couldWait(error: unknown): boolean {
  if (error instanceof ApiError) return [0, 429, 502, 503, 504].includes(error.status);
  return error instanceof DOMException && error.name === 'TimeoutError';
}

/** An error's message, in the page's language where its code is known. */
export function messageOf(error: unknown): string {
  if (!(error instanceof ApiError)) return error instanceof Error ? error.message : String(error);
  const refused = error.code === 'FORBIDDEN' ? explainRefusal(error.details, words) : undefined;
  if (refused !== undefined) return refused;
  const translated = (words.errors as Record<string, string | undefined>)[error.code];
  return translated ?? error.message;
}

interface CallOptions {
  json?: unknown;
  body?: FormData | Blob;
  signal?: AbortSignal | undefined;
  /** Lets the request outlive the page. */
  keepalive?: boolean;
  /** On a 401, throw instead of going to the sign-in page. */
  stayHere?: boolean;
}

let session: Promise<Session> | undefined;

/** Who is signed in; asked once per page. A server without this route counts as one that asks for no key. */
export function currentSession(): Promise<Session> {
  session ??= request('GET', '/api/v1/session', { stayHere: true }).then(
    async (response) => (await response.json()) as Session,
    (error: unknown) => {
      if (error instanceof ApiError && error.status === 404) return { auth: 'none', signedIn: true };
      session = undefined;
      throw error;
    },
  );
  return session;
}

/** The next `currentSession` asks again: for after signing in or out. */
export function forgetSession(): void {
  session = undefined;
}

/** Goes to the sign-in page, which leads back to this one. */
export function goToSignIn(): void {
  location.assign(`/signin?next=${encodeURIComponent(location.pathname + location.search)}`);
}

/**
 * Calls a route of the server.
 * @returns the JSON answer, trusted to follow the route's schema; undefined for an empty one
 * @throws ApiError
 */
export async function call<T = unknown>(
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  options: CallOptions = {},
): Promise<T> {
  const response = await withToken(method, (headers) => request(method, path, options, headers));
  const isJson = response.headers.get('content-type')?.includes('json') ?? false;
  return (isJson ? await response.json() : undefined) as T;
}

/** With the session's token. If another tab has signed in meanwhile, it is asked for once more. */
async function withToken(
  method: string,
  ask: (headers: Record<string, string>) => Promise<Response>,
): Promise<Response> {
  if (method === 'GET') return ask({});
  const asking = currentSession();
  const { csrf } = await asking;
  const headersOf = (token: string | undefined): Record<string, string> =>
    token === undefined ? {} : { 'x-csrf-token': token };
  try {
    return await ask(headersOf(csrf));
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 403) throw error;
    if (session === asking) forgetSession();
    const { csrf: newer } = await currentSession();
    if (newer === csrf) throw error;
    return ask(headersOf(newer));
  }
}

async function request(
  method: string,
  path: string,
  { json, body, signal, keepalive, stayHere }: CallOptions,
  headers: Record<string, string> = {},
): Promise<Response> {
  if (json !== undefined) headers['content-type'] = 'application/json';
  if (body instanceof Blob) headers['content-type'] = body.type || 'application/octet-stream';
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      credentials: 'same-origin',
      body: json === undefined ? body : JSON.stringify(json),
      signal,
      keepalive,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, 'GONE', words.errors.GONE);
  }
  if (response.ok) return response;
  const refusal = await readRefusal(response);
  if (response.status === 401 && stayHere !== true) goToSignIn();
  throw refusal;
}

async function readRefusal(response: Response): Promise<ApiError> {
  let body: Record<string, unknown> = {};
  try {
    body = (await response.json()) as Record<string, unknown>;
  } catch {
    // Not JSON: a proxy's own error page.
  }
  const text = (...names: string[]) =>
    names.map((name) => body[name]).find((value) => typeof value === 'string');
  const retryAfter = Number(response.headers.get('retry-after') ?? NaN);
  return new ApiError(
    response.status,
    text('code', 'mid') ?? `HTTP_${response.status}`,
    text('message', 'msg') ?? `${response.status} ${response.statusText}`,
    body.details as Record<string, unknown> | undefined,
    Number.isFinite(retryAfter) ? retryAfter : undefined,
    Array.isArray(body.results) ? body.results : undefined,
  );
}
