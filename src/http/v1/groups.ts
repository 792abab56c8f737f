import { Type } from 'typebox';
import { checkName } from '../../gallery/names.js';
import { mayUseGroup, requireGroupAccess } from '../access.js';
import type { App } from '../app-type.js';
import { ReceiptSchema } from '../receipts.js';
import { IdSchema, NameSchema, refusals } from '../schemas.js';
import type { Services } from '../services.js';

const tags = ['groups'];
const strict = { additionalProperties: false };

const GroupSchema = Type.Object(
  { groupid: Type.String(), groupname: Type.String() },
  { examples: [{ groupid: 'staff', groupname: 'Staff' }] },
);

const NewGroupSchema = Type.Object(
  {
    groupid: IdSchema,
    groupname: Type.Optional({ ...NameSchema, description: 'Name to show; the ID when left out.' }),
  },
  { ...strict, examples: [{ groupid: 'visitors', groupname: 'Visitors' }] },
);

/** `/api/v1/groups`. */
export function groupRoutes(app: App, { gallery, receipts }: Services): void {
  const params = Type.Object({ groupid: { ...IdSchema, examples: ['staff'] } });

  app.get(
    '/api/v1/groups',
    {
      config: { access: 'recognise' },
      schema: {
        summary: 'List groups',
        description: 'Those that the key may use.',
        tags,
        response: {
          200: Type.Array(GroupSchema, { examples: [[{ groupid: 'staff', groupname: 'Staff' }]] }),
          ...refusals(),
        },
      },
    },
    (request) => gallery.groups().filter(({ groupid }) => mayUseGroup(request, groupid)),
  );

  app.post(
    '/api/v1/groups',
    {
      config: { access: 'admin', audit: 'change', changes: true },
      schema: {
        summary: 'Create a group',
        tags,
        body: NewGroupSchema,
        response: { 201: GroupSchema, ...refusals(409, 413, 415) },
      },
    },
    async (request, reply) => {
      const { groupid, groupname = '' } = request.body;
      requireGroupAccess(request, groupid);
      const group = await gallery.createGroup({
        groupid,
        groupname: checkName(groupname.trim(), 'groupname'),
      });
      return reply.status(201).send(group);
    },
  );

  app.patch(
    '/api/v1/groups/:groupid',
    {
      config: { access: 'admin', changes: true },
      schema: {
        summary: 'Rename a group',
        tags,
        params,
        body: Type.Object({ groupname: NameSchema }, { ...strict, examples: [{ groupname: 'Team' }] }),
        response: { 200: GroupSchema, ...refusals(404, 413, 415) },
      },
    },
    (request) => {
      const { groupid } = request.params;
      requireGroupAccess(request, groupid);
      return gallery.updateGroup(groupid, checkName(request.body.groupname.trim(), 'groupname'));
    },
  );

  app.delete(
    '/api/v1/groups/:groupid',
    {
      config: { access: 'admin' },
      schema: {
        summary: 'Delete a group',
        description:
          'A group that has people is deleted with `people=delete` only, and they with it; the receipt says what was erased.',
        tags,
        params,
        querystring: Type.Object(
          { people: Type.Optional(Type.Enum(['delete'], { examples: ['delete'] })) },
          strict,
        ),
        response: {
          200: { ...ReceiptSchema, description: 'Deleted, with `people=delete`.' },
          204: Type.Null({ description: 'Deleted; there was nobody in it.' }),
          ...refusals(404, 409),
        },
      },
    },
    async (request, reply) => {
      const { groupid } = request.params;
      requireGroupAccess(request, groupid);
      const withPeople = request.query.people === 'delete';
      const erased = await gallery.removeGroup(groupid, {
        withPeople,
        removed: (faceid) => request.audited.did('people', faceid),
      });
      return withPeople ? receipts.give(request, reply, erased) : reply.status(204).send(null);
    },
  );
}
