import { Type } from 'typebox';
import { createBare } from '../../checkup/bare.js';
import { tellOdds } from '../../identity/odds.js';
import type { App } from '../app-type.js';
import { refusals } from '../schemas.js';
import type { Services } from '../services.js';
import { asSeenBy, collect, createShow } from './checkup-findings.js';
import { FoundSchema, StateSchema } from './checkup-schemas.js';
import { toPerson } from './person-schemas.js';
import { thumbnailsFor } from './thumbnails.js';

const tags = ['check-up'];
const strict = { additionalProperties: false };
/** Findings of a kind in an answer, unless the caller says otherwise. */
const PAGE = 50;

/** `/api/v1/audit/gallery`. */
export function checkupRoutes(app: App, services: Services): void {
  const { gallery, checkup, decision } = services;
  const bareOf = createBare(gallery);
  app.addHook('onClose', () => checkup.close());

  app.get(
    '/api/v1/audit/gallery',
    {
      config: { access: 'enrol', slices: true },
      schema: {
        summary: 'What a check-up of the gallery found',
        description:
          'People whose pictures disagree, people who would be taken for each other, weak pictures, people without ' +
          'a picture, worst first. `POST` begins a check-up, which takes its time (docs/check-up.md).',
        tags,
        querystring: Type.Object(
          {
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, description: `Default ${PAGE}.` })),
            offset: Type.Optional(
              Type.Integer({
                minimum: 0,
                maximum: 1000,
                description: 'Of each kind so many are passed over.',
              }),
            ),
          },
          strict,
        ),
        response: { 200: FoundSchema, ...refusals() },
      },
    },
    async (request) => {
      const { limit = PAGE, offset = 0 } = request.query;
      const { groups } = request.caller;
      const [state, all] = await Promise.all([checkup.state(), checkup.findings()]);
      const seen = all && asSeenBy(request, all);
      const show = createShow(request, services);
      const page = <T>(things: readonly T[]) => things.slice(offset, offset + limit);
      const bare = await bareOf({ groups, limit, offset, signal: request.gone });
      const odds = (distance: number) => tellOdds(decision.odds(distance, groups));
      return {
        ...state,
        pictures: groups ? 0 : (all?.pictures ?? 0),
        threshold: all?.threshold ?? null,
        disagreeing: {
          total: seen?.totals.disagreeing ?? 0,
          found: await collect(page(seen?.disagreeing ?? []), (one) => show.disagreement(one)),
        },
        pairs: {
          total: seen?.totals.pairs ?? 0,
          found: await collect(page(seen?.pairs ?? []), async (pair) => {
            const shown = await show.pair(pair);
            return shown && { ...shown, ...odds(pair.distance) };
          }),
        },
        weak: {
          total: seen?.totals.weak ?? 0,
          found: await collect(page(seen?.weak ?? []), (one) => show.weak(one)),
        },
        withoutPictures: {
          total: bare.total ?? 0,
          found: bare.people.map((person) => toPerson(person, thumbnailsFor(request.caller))),
        },
        damaged: groups ? null : gallery.info().setAside,
      };
    },
  );

  app.post(
    '/api/v1/audit/gallery',
    {
      config: { access: 'enrol', audit: false },
      schema: {
        summary: 'Begin a check-up of the gallery',
        description: 'In the background, unless one is under way. One worker of a machine does it.',
        tags,
        response: { 202: StateSchema, ...refusals() },
      },
    },
    async (_request, reply) => {
      await checkup.start();
      return reply.status(202).send(await checkup.state());
    },
  );

  app.delete(
    '/api/v1/audit/gallery',
    {
      config: { access: 'enrol', audit: false },
      schema: {
        summary: 'Stop the check-up',
        description: 'The findings of the one before stay.',
        tags,
        response: {
          204: Type.Null({ description: 'It is being stopped, or none was under way.' }),
          ...refusals(),
        },
      },
    },
    async (_request, reply) => {
      await checkup.cancel();
      return reply.status(204).send(null);
    },
  );
}
