import { Type } from 'typebox';
import { KaomonError } from '../../platform/errors.js';
import { requireGroupAccess } from '../access.js';
import type { App } from '../app-type.js';
import { IdSchema, refusals } from '../schemas.js';
import type { Services } from '../services.js';

/** `DELETE /api/v1/faces/automatic`: undoes what automatic enrolment did. */
export function automaticFaceRoutes(app: App, { gallery }: Services): void {
  app.delete(
    '/api/v1/faces/automatic',
    {
      config: { access: 'admin' },
      schema: {
        summary: 'Delete every face that automatic enrolment saved',
        tags: ['people'],
        querystring: Type.Object({ groupid: Type.Optional(IdSchema) }, { additionalProperties: false }),
        response: {
          200: Type.Object(
            { deleted: Type.Integer({ minimum: 0, description: 'Faces.' }) },
            { examples: [{ deleted: 3 }] },
          ),
          ...refusals(),
        },
      },
    },
    async (request) => {
      const { groupid } = request.query;
      if (groupid !== undefined) requireGroupAccess(request, groupid);
      let deleted = 0;
      const groups = groupid === undefined ? request.caller.groups : new Set([groupid]);
      await gallery.catchUp();
      for await (const person of gallery.everyone({ groups, pictures: 'some' })) {
        for (const { id } of person.faces.filter(({ automatic }) => automatic)) {
          try {
            await gallery.removeFace(person.faceid, id);
            request.audited.did('faces', id);
            deleted += 1;
          } catch (error) {
            // The face or the person has been deleted meanwhile.
            if (!(error instanceof KaomonError) || error.statusCode !== 404) throw error;
          }
        }
      }
      return { deleted };
    },
  );
}
