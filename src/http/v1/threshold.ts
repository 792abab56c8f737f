import { Type } from 'typebox';
import { outcomeAt } from '../../browser/logic/outcome.js';
import { requireAllGroups } from '../access.js';
import type { App } from '../app-type.js';
import { Nullable, refusals, ThresholdsSchema } from '../schemas.js';
import type { Services } from '../services.js';
import { StateSchema } from './checkup-schemas.js';

const tags = ['check-up'];
const strict = { additionalProperties: false };
const WHAT = 'choose the threshold, which holds for all groups';

const DistanceBelow = Type.Number({
  exclusiveMinimum: 0,
  maximum: 4,
  description: 'Squared L2: a face is named below it.',
});
const whole = Type.Integer({ minimum: 0 });
const histogram = (description: string) => Type.Array(whole, { description });

const ChosenSchema = Type.Object(
  {
    chosen: Nullable(DistanceBelow),
    before: Nullable(DistanceBelow),
    thresholds: ThresholdsSchema,
  },
  {
    description: 'What is in force now, and what was chosen before: to undo it.',
  },
);
const exampleThresholds = {
  ...{ identical: 0.4, sure: 0.31, pair: 0.35, faces: 12, by: 'chosen', falseNames: 0.01 },
  ...{
    falseMatchRate: 0.0008,
    pairs: 100_000,
    beyondPairs: false,
    sentence: 'The threshold was chosen on the page /check.',
  },
};

/** `/api/v1/audit/threshold` and `/api/v1/threshold`. */
export function thresholdRoutes(app: App, { gallery, decision, checkup }: Services): void {
  app.get(
    '/api/v1/audit/threshold',
    {
      config: { access: 'admin' },
      schema: {
        summary: 'What a threshold would do to this gallery',
        description:
          'Of the last check-up: every enrolled picture in turn is left out and looked for among the others. In steps ' +
          'of distance from 0 to 4 (docs/check-up.md).',
        tags,
        querystring: Type.Object({ threshold: Type.Optional(DistanceBelow) }, strict),
        response: {
          200: Type.Object(
            {
              ...StateSchema.properties,
              thresholds: ThresholdsSchema,
              chosen: {
                ...Nullable(DistanceBelow),
                description: 'By somebody, while running; null: nobody.',
              },
              unchosen: { ...DistanceBelow, description: 'What would be in force if nobody had chosen.' },
              at: Nullable(
                Type.Object(
                  {
                    threshold: DistanceBelow,
                    own: whole,
                    wrong: whole,
                    missed: whole,
                    strangers: whole,
                    named: whole,
                  },
                  {
                    description:
                      'At `threshold`, or the one in force: of `own` pictures of people who have several `wrong` get a wrong name and `missed` none; of `strangers` (pictures whose person is left out) `named` get somebody’s name.',
                  },
                ),
              ),
              tally: Nullable(
                Type.Object({
                  same: histogram('To the nearest other picture of the same person.'),
                  different: histogram('To the nearest picture of anybody else.'),
                  wrong: histogram('As `different`, where that is nearer than the person’s own.'),
                  right: histogram('As `same`, where nobody else is nearer.'),
                }),
              ),
            },
            {
              examples: [
                {
                  ...{
                    state: 'done',
                    progress: 1,
                    thresholds: exampleThresholds,
                    chosen: 0.4,
                    unchosen: 0.38,
                  },
                  at: { threshold: 0.4, own: 1000, wrong: 2, missed: 5, strangers: 1200, named: 1 },
                  tally: { same: [0, 3], different: [0, 0], wrong: [0, 0], right: [0, 3] },
                },
              ],
            },
          ),
          ...refusals(),
        },
      },
    },
    async (request) => {
      requireAllGroups(request, WHAT);
      const [state, found] = await Promise.all([checkup.state(), checkup.findings()]);
      const threshold = request.query.threshold ?? decision.threshold();
      const tally = found?.tally ?? null;
      return {
        ...state,
        thresholds: decision.meaning(),
        chosen: gallery.threshold() ?? null,
        unchosen: decision.unchosen(),
        at: tally && { threshold, ...outcomeAt(tally, threshold) },
        tally,
      };
    },
  );

  app.put(
    '/api/v1/threshold',
    {
      config: { access: 'admin', audit: 'change', changes: true },
      schema: {
        summary: 'Choose the threshold',
        description:
          'Below which distance a face is named, in every worker, at once and after restarts, in place of ' +
          '`IDENTICAL_DISTANCE` or what follows from the faces. For this pack.',
        tags,
        body: Type.Object({ identical: DistanceBelow }, { ...strict, examples: [{ identical: 0.4 }] }),
        response: {
          200: { ...ChosenSchema, examples: [{ chosen: 0.4, before: null, thresholds: exampleThresholds }] },
          ...refusals(413, 415),
        },
      },
    },
    (request) => {
      requireAllGroups(request, WHAT);
      request.audited.note({ threshold: String(request.body.identical) });
      return choose(request.body.identical);
    },
  );

  app.delete(
    '/api/v1/threshold',
    {
      config: { access: 'admin', audit: 'change' },
      schema: {
        summary: 'Choose no threshold any more',
        description: 'It follows from the settings and the faces again.',
        tags,
        response: {
          200: { ...ChosenSchema, examples: [{ chosen: null, before: 0.4, thresholds: exampleThresholds }] },
          ...refusals(),
        },
      },
    },
    (request) => {
      requireAllGroups(request, WHAT);
      return choose(undefined);
    },
  );

  async function choose(identical: number | undefined) {
    const before = gallery.threshold() ?? null;
    await gallery.setThreshold(identical);
    return { chosen: identical ?? null, before, thresholds: decision.meaning() };
  }
}
