import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { ROLES } from '../../access/roles.js';
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

/** `GET` and `POST /api/v1/keys`, `DELETE /api/v1/keys/:id`. */
export function keyRoutes(app: App, { keys }: Services): void {
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
      return await keys.list();
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

  app.delete(
    '/api/v1/keys/:id',
    {
      config: { access: 'admin', audit: 'key revoked' },
      schema: {
        summary: 'Revoke a key',
        description: 'By its ID, as the list answers it. Whoever is signed in with it is signed out.',
        tags,
        params: Type.Object({
          id: Type.String({
            pattern: /^[0-9a-f]{10}$/.source,
            description: "The key's ID, not its name.",
            examples: [EXAMPLE.id],
          }),
        }),
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
