import { Type } from 'typebox';
import { faceIdOf } from '../../gallery/ids.js';
import { requireGroupAccess } from '../access.js';
import type { App } from '../app-type.js';
import { MESSAGE_IDS, type Outcome, OutcomeSchema } from './format.js';
import { answerNotFound } from '../error-handler.js';
import { errorsOf, IdSchema } from '../schemas.js';
import type { Services } from '../services.js';

/** `DELETE /api/:groupid/:userid`: the person and all pictures. */
export function personRoutes(app: App, { gallery, receipts }: Services): void {
  app.delete(
    '/api/:groupid/:userid',
    {
      config: { access: 'enrol', failure: 'E1011' },
      schema: {
        summary: 'Delete a person',
        tags: ['maiface'],
        params: Type.Object({
          userid: { ...IdSchema, examples: ['ada'] },
          groupid: { ...IdSchema, examples: ['staff'] },
        }),
        response: { 200: OutcomeSchema, ...errorsOf(OutcomeSchema, 400, 404, 500, 503) },
      },
    },
    async (request, reply): Promise<Outcome> => {
      const { groupid, userid } = request.params;
      // `DELETE /api/v1/people` is a slip of a caller of v1's, and means nobody.
      if (groupid === 'v1') answerNotFound(request);
      requireGroupAccess(request, groupid);
      receipts.give(request, reply, await gallery.remove(groupid, userid));
      const faceid = faceIdOf(groupid, userid);
      return { result: 'SUCCESS', mid: 'S1011', msg: MESSAGE_IDS.S1011, groupid, userid, faceid };
    },
  );
}
