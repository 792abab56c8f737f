import { Type } from 'typebox';
import { checkName } from '../../gallery/names.js';
import { requireGroupAccess } from '../access.js';
import type { App } from '../app-type.js';
import { formIntoBody, formLimit } from '../intake/form.js';
import { MESSAGE_IDS, type Outcome, OutcomeSchema } from './format.js';
import { onBehalfOf } from '../on-behalf.js';
import { BytesSchema, errorsOf, IdSchema } from '../schemas.js';
import { serverTiming } from '../server-timing.js';
import type { Services } from '../services.js';

/** `POST /api/face_register`. */
export function faceRegisterRoutes(app: App, { config, enroller }: Services): void {
  app.post(
    '/api/face_register',
    {
      bodyLimit: formLimit(config.MAX_UPLOAD_BYTES),
      config: { access: 'enrol', failure: 'E1001' },
      preValidation: formIntoBody({
        files: ['image'],
        texts: ['userid', 'groupid', 'username', 'force'],
        maxBytes: config.MAX_UPLOAD_BYTES,
      }),
      schema: {
        summary: 'Enrol a picture of a person',
        tags: ['maiface'],
        consumes: ['multipart/form-data'],
        body: Type.Object(
          {
            userid: IdSchema,
            groupid: IdSchema,
            username: Type.Optional(
              Type.String({ maxLength: 200, description: 'Name to show; ours, the original has none.' }),
            ),
            force: Type.Optional(
              Type.Union([Type.Literal('true'), Type.Literal('false'), Type.Literal('')], {
                description:
                  'Ours: `true` enrols a face that is enrolled under another person, too, or is not like the others of this one.',
              }),
            ),
            image: BytesSchema,
          },
          { examples: [{ userid: 'grace', groupid: 'staff', username: 'Grace', image: '(a file)' }] },
        ),
        response: { 200: OutcomeSchema, ...errorsOf(OutcomeSchema, 400, 404, 409, 413, 415, 422, 500, 503) },
      },
    },
    async (request, reply): Promise<Outcome> => {
      const { userid, groupid, username, force, image } = request.body;
      requireGroupAccess(request, groupid);
      const name = checkName(username?.trim() ?? '', 'username');
      const { face, already, times } = await enroller.enrol(
        { userid, groupid, username: name || undefined },
        image,
        { force: force === 'true', groups: request.caller.groups, ...onBehalfOf(request) },
      );
      if (!already) request.audited.did('faces', face.id);
      reply.header('server-timing', serverTiming(times));
      return {
        result: 'SUCCESS',
        mid: 'S1001',
        msg: MESSAGE_IDS.S1001,
        groupid,
        userid,
        faceid: face.faceid,
        already: already || undefined,
      };
    },
  );
}
