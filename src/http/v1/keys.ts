import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { KeyInfo } from '../../access/keys.js';
import { createLinks, LINK_MINUTES } from '../../access/links.js';
import { ROLES } from '../../access/roles.js';
import { urlsOf } from '../../platform/addresses.js';
import { KaomonError } from '../../platform/errors.js';
import { requireAllGroups } from '../access.js';
import type { App } from '../app-type.js';
import { IdSchema, Nullable, refusals, TimeSchema } from '../schemas.js';
import type { Services } from '../services.js';

const tags = ['access'];

const EXAMPLE = {
  id: '0a1b2c3d4e',
  name: 'door-3',
  role: 'recognise',
  groups: ['staff'],
  createdAt: '2026-01-31T09:00:00Z',
};

const KeySchema = Type.Object(
  {
    id: Type.String({ description: 'Ten hexadecimal digits; the key is revoked by it.' }),
    name: Type.String(),
    role: Type.Enum([...ROLES]),
    groups: Nullable(Type.Array(Type.String(), { description: 'The groups it is tied to; null: all.' })),
    createdAt: TimeSchema,
    lastUsedAt: Type.Optional(
      Type.String({
        maxLength: 40,
        description: 'ISO 8601, UTC, up to a minute late; absent: not since CACHE_DIR was last emptied.',
      }),
    ),
  },
  { examples: [EXAMPLE] },
);

const NewKeySchema = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 64, description: 'Unique; shown in lists and the audit.' }),
    role: Type.Enum([...ROLES]),
    groups: Type.Optional(
      Type.Array(IdSchema, {
        minItems: 1,
        maxItems: 1000,
        description: 'Ties the key to groups. Left out: it may use all; an empty list is refused.',
      }),
    ),
  },
  { additionalProperties: false, examples: [{ name: 'door-3', role: 'recognise', groups: ['staff'] }] },
);

const TieSchema = Type.Object(
  {
    groups: Nullable(
      Type.Array(IdSchema, { minItems: 1, maxItems: 1000, description: 'null: the key may use all groups.' }),
    ),
  },
  { additionalProperties: false, examples: [{ groups: ['staff'] }] },
);

const LinkSchema = Type.Object(
  {
    token: Type.String({ description: 'Signs in once, as `/signin#token=...` at any address of this server.' }),
    minutes: Type.Integer({ minimum: 1, description: 'How long it works if nobody uses it.' }),
    urls: Type.Array(Type.String(), {
      description: 'Addresses at which other devices reach this server, unless a proxy stands before it.',
    }),
  },
  { examples: [{ token: 'Zm9v...', minutes: LINK_MINUTES, urls: ['https://192.168.1.7:8443'] }] },
);

const ParamsSchema = Type.Object({
  id: Type.String({
    pattern: /^[0-9a-f]{10}$/.source,
    description: "The key's ID, not its name.",
    examples: [EXAMPLE.id],
  }),
});

/** `GET` and `POST /api/v1/keys`, `PATCH` and `DELETE /api/v1/keys/:id`, `POST /api/v1/keys/:id/link`. */
export function keyRoutes(app: App, { keys, lastUse, config }: Services): void {
  const links = createLinks({ file: keys.file });

  async function withUse(infos: readonly KeyInfo[]) {
    const used = await lastUse.all();
    return infos.map((info) => ({ ...info, lastUsedAt: used.get(info.id) }));
  }

  app.get(
    '/api/v1/keys',
    {
      config: { access: 'admin' },
      schema: {
        summary: 'List keys',
        description: 'Without the keys themselves, which are kept nowhere.',
        tags,
        response: { 200: Type.Array(KeySchema, { examples: [[EXAMPLE]] }), ...refusals() },
      },
    },
    async (request) => {
      requireUntied(request);
      return await withUse(await keys.list());
    },
  );

  app.post(
    '/api/v1/keys',
    {
      config: { access: 'admin', audit: 'key added' },
      schema: {
        summary: 'Make a key',
        tags,
        body: NewKeySchema,
        response: {
          201: Type.Object(
            {
              ...KeySchema.properties,
              key: Type.String({ description: 'The key itself: shown this once, kept nowhere.' }),
            },
            { examples: [{ ...EXAMPLE, key: 'kao_0a1b2c3d4e_...' }] },
          ),
          ...refusals(409, 413, 415),
        },
      },
    },
    async (request, reply) => {
      requireUntied(request);
      const { key, info } = await keys.add(request.body);
      request.audited.note({ id: info.id, groups: info.groups ?? 'all' });
      return reply
        .status(201)
        .header('cache-control', 'no-store')
        .send({ ...info, key });
    },
  );

  app.patch(
    '/api/v1/keys/:id',
    {
      config: { access: 'admin', audit: 'key changed' },
      schema: {
        summary: 'Tie a key to groups',
        description:
          'From the next request on; streams and feeds that it has open are closed. Whoever is signed in with it stays signed in.',
        tags,
        params: ParamsSchema,
        body: TieSchema,
        response: { 200: KeySchema, ...refusals(404, 413, 415) },
      },
    },
    async (request) => {
      requireUntied(request);
      const { id } = request.params;
      if (id === request.caller.keyId) {
        throw new KaomonError('FORBIDDEN', 'A key cannot tie itself: use another.');
      }
      const info = await keys.tie(id, request.body.groups);
      request.audited.note({ name: info.name, groups: info.groups ?? 'all' });
      return (await withUse([info]))[0];
    },
  );

  app.post(
    '/api/v1/keys/:id/link',
    {
      config: { access: 'admin', audit: 'sign-in link' },
      schema: {
        summary: 'Make a sign-in link',
        description: 'Signs a page in with this key, once; like `kaomon keys link`.',
        tags,
        params: ParamsSchema,
        response: { 201: LinkSchema, ...refusals(404) },
      },
    },
    async (request, reply) => {
      requireUntied(request);
      const { token, key } = await links.make(request.params.id);
      request.audited.note({ name: key.name });
      const listening = app.server.address();
      const port = typeof listening === 'object' && listening ? listening.port : config.PORT;
      const urls = urlsOf(config.HOST, port, config.TLS).filter((url) => new URL(url).hostname !== 'localhost');
      return reply
        .status(201)
        .header('cache-control', 'no-store')
        .send({ token, minutes: LINK_MINUTES, urls });
    },
  );

  app.delete(
    '/api/v1/keys/:id',
    {
      config: { access: 'admin', audit: 'key revoked' },
      schema: {
        summary: 'Revoke a key',
        description: 'By its ID, as the list answers it. Whoever is signed in with it is signed out.',
        tags,
        params: ParamsSchema,
        response: { 200: KeySchema, ...refusals(404, 409) },
      },
    },
    async (request) => {
      requireUntied(request);
      const { id } = request.params;
      if (id === request.caller.keyId) {
        throw new KaomonError(
          'FORBIDDEN',
          'A key cannot revoke itself: use another, or `kaomon keys revoke`.',
        );
      }
      const info = await keys.revoke(id);
      request.audited.note({ name: info.name, role: info.role });
      return info;
    },
  );
}

/** Otherwise a key that is tied to groups could make one that is not. */
const requireUntied = (request: Pick<FastifyRequest, 'caller'>) => requireAllGroups(request, 'manage keys');
