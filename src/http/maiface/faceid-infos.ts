import type { Readable } from 'node:stream';
import { Type } from 'typebox';
import { KaomonError } from '../../platform/errors.js';
import { splitFaceId } from '../../gallery/ids.js';
import type { Person } from '../../gallery/types.js';
import { requireGroupAccess } from '../access.js';
import type { App } from '../app-type.js';
import { jsonList } from '../json-list.js';
import { OutcomeSchema } from './format.js';
import { errorsOf, FaceidSchema } from '../schemas.js';
import type { Services } from '../services.js';

const EXAMPLE = { faceid: 'staff-ada', groupid: 'staff', userid: 'ada', numfiles: 2 };

const FaceidInfoSchema = Type.Object(
  {
    faceid: Type.String(),
    groupid: Type.String(),
    userid: Type.String(),
    numfiles: Type.Integer({ minimum: 0, description: 'Enrolled pictures.' }),
  },
  { examples: [EXAMPLE] },
);

const toInfo = ({ faceid, groupid, userid, faces }: Person) => ({
  faceid,
  groupid,
  userid,
  numfiles: faces.length,
});

const config = { access: 'recognise', slices: true } as const;

/** `GET /api/faceid_infos` and `GET /api/faceid_info/:faceid`. */
export function faceidInfoRoutes(app: App, { gallery }: Services): void {
  app.get(
    '/api/faceid_infos',
    {
      config,
      schema: {
        summary: 'List people',
        tags: ['maiface'],
        response: {
          200: Type.Unsafe<Readable>(Type.Array(FaceidInfoSchema, { examples: [[EXAMPLE]] })),
          ...errorsOf(OutcomeSchema, 500),
        },
      },
    },
    async (request, reply) => {
      const people = gallery.everyone({ groups: request.caller.groups, signal: request.gone });
      return reply.type('application/json; charset=utf-8').send(jsonList(people, toInfo));
    },
  );

  app.get(
    '/api/faceid_info/:faceid',
    {
      config,
      schema: {
        summary: 'Read a person',
        tags: ['maiface'],
        params: Type.Object({ faceid: FaceidSchema }),
        response: { 200: FaceidInfoSchema, ...errorsOf(OutcomeSchema, 400, 404, 500) },
      },
    },
    async (request) => {
      const { faceid } = request.params;
      const parts = splitFaceId(faceid);
      if (parts) requireGroupAccess(request, parts.groupid);
      const person = await gallery.person(faceid);
      if (person) return toInfo(person);
      throw new KaomonError('FACE_UNKNOWN', 'Nobody is enrolled under this faceid.');
    },
  );
}
