import { Type } from 'typebox';
import { mayUseGroup } from '../access.js';
import type { App } from '../app-type.js';
import { OutcomeSchema } from './format.js';
import { errorsOf } from '../schemas.js';
import type { Services } from '../services.js';

const GroupsSchema = Type.Array(Type.Object({ groupid: Type.String(), groupname: Type.String() }), {
  examples: [[{ groupid: 'staff', groupname: 'Staff' }]],
});

/** `GET /api/groups`. */
export function groupRoutes(app: App, { gallery }: Services): void {
  app.get(
    '/api/groups',
    {
      config: { access: 'recognise' },
      schema: {
        summary: 'List groups',
        tags: ['maiface'],
        response: { 200: GroupsSchema, ...errorsOf(OutcomeSchema, 500) },
      },
    },
    (request) => gallery.groups().filter(({ groupid }) => mayUseGroup(request, groupid)),
  );
}
