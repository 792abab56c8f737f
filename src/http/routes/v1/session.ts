import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type, type Static } from 'typebox';
import { ROLES } from '../../../access/roles.js';
import type { Sessions } from '../../../access/sessions.js';
import { KaomonError } from '../../../errors.js';
import type { Caller } from '../../access.js';
import type { App } from '../../app-type.js';
import { type Authentication, callerOf, cookieName } from '../../plugins/authentication.js';
import { ErrorSchema, errorsOf, Nullable } from '../../schemas.js';

const SessionSchema = Type.Object({
  auth: Type.Enum(['none', 'key'], { description: '`none`: this server asks nobody for a key.' }),
  signedIn: Type.Boolean(),
  name: Type.Optional(Type.String({ description: "The key's name." })),
  role: Type.Optional(Type.Enum([...ROLES])),
  groups: Type.Optional(Nullable(Type.Array(Type.String(), { description: 'null: all.' }))),
  csrf: Type.Optional(
    Type.String({ description: 'To be sent as `x-csrf-token` with everything but GET, beside the cookie.' }),
  ),
});
type SessionBody = Static<typeof SessionSchema>;

/** The largest body of a sign-in. */
const SIGN_IN_BYTES = 2048;

const SignInSchema = Type.Object(
  {
    key: Type.String({ minLength: 1, maxLength: 200, description: 'A key, as `kaomon keys add` shows it.' }),
  },
  { additionalProperties: false },
);

export interface SessionDeps {
  auth: 'key' | 'none';
  authentication: Authentication;
  sessions: Sessions;
}

/** `GET`, `POST` and `DELETE /api/v1/session`: who is signed in, sign in by a key, sign out. */
export function sessionRoutes(app: App, { auth, authentication, sessions }: SessionDeps): void {
  const setCookie = (request: FastifyRequest, reply: FastifyReply, value: string, maxAge: number) =>
    reply.setCookie(cookieName(request), value, {
      path: '/',
      httpOnly: true,
      sameSite: 'strict',
      secure: request.protocol === 'https',
      maxAge,
    });

  const describe = (caller: Caller, csrf?: string): SessionBody => ({
    auth,
    signedIn: caller.via !== 'nothing',
    ...(caller.via !== 'nothing' && {
      name: caller.name,
      role: caller.role,
      groups: caller.groups ? [...caller.groups] : null,
    }),
    ...(csrf !== undefined && { csrf }),
  });

  app.get(
    '/api/v1/session',
    {
      config: { access: 'public' },
      schema: { response: { 200: SessionSchema, ...errorsOf(ErrorSchema, 500) } },
    },
    (request, reply) => {
      reply.header('cache-control', 'no-store');
      return describe(request.caller, authentication.sessionOf(request)?.csrf);
    },
  );

  app.post(
    '/api/v1/session',
    {
      // Of whoever is not known yet nothing more is held.
      bodyLimit: SIGN_IN_BYTES,
      config: { access: 'public', audit: 'sign in' },
      schema: {
        body: SignInSchema,
        response: { 200: SessionSchema, ...errorsOf(ErrorSchema, 400, 401, 403, 413, 415, 500) },
      },
    },
    async (request, reply) => {
      reply.header('cache-control', 'no-store');
      if (auth === 'none') return describe(request.caller);
      const record = await authentication.checkKey(request, request.body.key.trim());
      if (!record) throw new KaomonError('UNAUTHORISED', 'This key is not valid, or not any more.');
      request.audited.by(record.name);
      const { token, csrf } = await sessions.begin(record);
      setCookie(request, reply, token, sessions.lasts);
      return describe(callerOf(record, 'session'), csrf);
    },
  );

  app.delete(
    '/api/v1/session',
    {
      config: { access: 'recognise', audit: 'sign out' },
      schema: { response: { 200: SessionSchema, ...errorsOf(ErrorSchema, 500) } },
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
