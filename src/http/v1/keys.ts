import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { ROLES } from '../../access/roles.js';
import { KaomonError } from '../../platform/errors.js';
import { requireAllGroups } from '../access.js';
import type { App } from '../app-type.js';
import { ErrorSchema, errorsOf, IdSchema, Nullable } from '../schemas.js';
import type { Services } from '../services.js';

const KeySchema = Type.Object({
  id: Type.String(),
  name: Type.String(),
  role: Type.Enum([...ROLES]),
  groups: Nullable(Type.Array(Type.String(), { description: 'The groups it is tied to; null: all.' })),
  createdAt: Type.String({ description: 'ISO 8601.' }),
});

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
  { additionalProperties: false },
);

/** `GET` and `POST /api/v1/keys`, `DELETE /api/v1/keys/:id`. */
export function keyRoutes(app: App, { keys }: Services): void {
  app.get(
    '/api/v1/keys',
    {
      config: { access: 'admin' },
      schema: { response: { 200: Type.Array(KeySchema), ...errorsOf(ErrorSchema, 500, 503) } },
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
        body: NewKeySchema,
        response: {
          201: Type.Object({
            ...KeySchema.properties,
            key: Type.String({ description: 'The key itself: shown this once, kept nowhere.' }),
          }),
          ...errorsOf(ErrorSchema, 400, 409, 413, 415, 500, 503),
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
        params: Type.Object({
          id: Type.String({ pattern: /^[0-9a-f]{10}$/.source, description: "The key's ID." }),
        }),
        response: { 200: KeySchema, ...errorsOf(ErrorSchema, 400, 404, 409, 500, 503) },
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

/** A key that is tied to groups could otherwise make itself one that is not. */
const requireUntied = (request: Pick<FastifyRequest, 'caller'>) => requireAllGroups(request, 'manage keys');
