import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type, type Static } from 'typebox';
import { ROLES } from '../../access/roles.js';
import type { KeyRecord } from '../../access/keys.js';
import { KaomonError } from '../../platform/errors.js';
import type { Caller } from '../access.js';
import type { App } from '../app-type.js';
import { callerOf, cookieName } from '../plugins/authentication.js';
import { ErrorSchema, errorsOf, Nullable } from '../schemas.js';
import type { Services } from '../services.js';

const tags = ['access'];

const SessionSchema = Type.Object(
  {
    auth: Type.Enum(['none', 'key'], { description: '`none`: this server asks nobody for a key.' }),
    signedIn: Type.Boolean(),
    name: Type.Optional(Type.String({ description: "The key's name." })),
    role: Type.Optional(Type.Enum([...ROLES])),
    groups: Type.Optional(Nullable(Type.Array(Type.String(), { description: 'null: all.' }))),
    csrf: Type.Optional(
      Type.String({
        description: 'To be sent as `x-csrf-token` with everything but GET, beside the cookie.',
      }),
    ),
  },
  {
    examples: [{ auth: 'key', signedIn: true, name: 'office', role: 'admin', groups: null, csrf: 'Zm9v...' }],
  },
);
type SessionBody = Static<typeof SessionSchema>;

/** Largest body of a sign-in, bytes. */
const SIGN_IN_BYTES = 2048;

const SignInSchema = Type.Object(
  {
    key: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: 'A key, as `kaomon keys add` shows it.' }),
    ),
    token: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: 'Or what a sign-in link holds; used up.' }),
    ),
  },
  { additionalProperties: false, examples: [{ key: 'kao_0a1b2c3d4e_...' }] },
);

/** `GET`, `POST` and `DELETE /api/v1/session`: who is signed in, sign in by a key, sign out. */
export function sessionRoutes(app: App, { config, sessions }: Services): void {
  const { authentication } = app;
  const { AUTH: auth } = config;
  const setCookie = (request: FastifyRequest, reply: FastifyReply, value: string, maxAge: number) =>
    reply.setCookie(cookieName(request), value, {
      path: '/',
      httpOnly: true,
      sameSite: 'strict',
      secure: request.protocol === 'https',
      maxAge,
    });

  function describe({ via, name, role, groups }: Caller, csrf?: string): SessionBody {
    if (via === 'nothing') return { auth, signedIn: false };
    return { auth, signedIn: true, name, role, groups: groups ? [...groups] : null, csrf };
  }

  /** @throws KaomonError FIELD_MISSING, UNAUTHORISED, TOO_MANY_REQUESTS */
  async function recordOf(
    request: FastifyRequest,
    { key, token }: Static<typeof SignInSchema>,
  ): Promise<KeyRecord> {
    if (key === undefined && token === undefined) {
      throw new KaomonError('FIELD_MISSING', 'The field "key" is missing.', { details: { field: 'key' } });
    }
    if (token !== undefined) {
      request.audited.note({ via: 'link' });
      const record = await authentication.checkLink(request, token.trim());
      if (record) return record;
      const sentence = 'This link has been used or has expired: `kaomon keys link` makes another.';
      throw new KaomonError('UNAUTHORISED', sentence);
    }
    const record = await authentication.checkKey(request, (key ?? '').trim());
    if (record) return record;
    throw new KaomonError('UNAUTHORISED', 'This key is not valid, or no longer.');
  }

  app.get(
    '/api/v1/session',
    {
      config: { access: 'public' },
      schema: {
        summary: 'Tell who is signed in',
        description: 'By the cookie, or by the key that the request carries.',
        tags,
        response: { 200: SessionSchema, ...errorsOf(ErrorSchema, 500) },
      },
    },
    (request, reply) => {
      reply.header('cache-control', 'no-store');
      return describe(request.caller, authentication.sessionOf(request)?.csrf);
    },
  );

  app.post(
    '/api/v1/session',
    {
      // Not more of a caller who is not known yet.
      bodyLimit: SIGN_IN_BYTES,
      config: { access: 'public', audit: 'sign in' },
      schema: {
        summary: 'Sign in',
        description: 'Sets a cookie for pages; programs send their key with each request instead.',
        tags,
        body: SignInSchema,
        response: { 200: SessionSchema, ...errorsOf(ErrorSchema, 400, 401, 403, 413, 415, 500) },
      },
    },
    async (request, reply) => {
      reply.header('cache-control', 'no-store');
      if (auth === 'none') return describe(request.caller);
      const record = await recordOf(request, request.body);
      request.audited.by(record.name);
      const { token, csrf } = await sessions.begin(record);
      // A page has one session: the one before ends, even for others who have its cookie.
      const before = authentication.sessionOf(request);
      if (before) {
        request.audited.note({ instead: before.record.name });
        await sessions.end(before);
      }
      setCookie(request, reply, token, sessions.lifetime);
      return describe(callerOf(record, 'session'), csrf);
    },
  );

  app.delete(
    '/api/v1/session',
    {
      config: { access: 'recognise', audit: 'sign out' },
      schema: {
        summary: 'Sign out',
        description: 'Ends the session in all workers.',
        tags,
        response: { 200: SessionSchema, ...errorsOf(ErrorSchema, 500) },
      },
    },
    async (request, reply) => {
      const session = authentication.sessionOf(request);
      if (session) {
        await sessions.end(session);
        setCookie(request, reply, '', 0);
      }
      return { auth, signedIn: auth === 'none' };
    },
  );
}
