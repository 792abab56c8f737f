import type { FastifyRequest } from 'fastify';
import { Type, type Static, type TSchema } from 'typebox';
import { createBare } from '../../checkup/bare.js';
import type { Disagreement, Findings, NearPair, OddPicture, WeakPicture } from '../../checkup/types.js';
import { splitFaceId } from '../../gallery/ids.js';
import type { Face, Person } from '../../gallery/types.js';
import { tellOdds } from '../../identity/odds.js';
import { mayUseGroup } from '../access.js';
import type { App } from '../app-type.js';
import { DistanceSchema, Nullable, oddsFields, refusals, TimeSchema } from '../schemas.js';
import type { Services } from '../services.js';
import { EXAMPLE, PersonSchema, toPerson } from './person-schemas.js';
import { ThumbnailSchema, thumbnailsFor } from './thumbnails.js';

const tags = ['check-up'];
const strict = { additionalProperties: false };
/** Findings of a kind in an answer, unless the caller says otherwise. */
const PAGE = 50;

/** How far the check-up is. */
const stateFields = {
  state: Type.Enum(['none', 'running', 'done', 'cancelled', 'failed'], {
    description: '`none`: nobody has asked for one yet. Findings are those of the last that was done.',
  }),
  progress: Type.Number({ minimum: 0, maximum: 1 }),
  startedAt: Type.Optional(TimeSchema),
  finishedAt: Type.Optional(TimeSchema),
};
export const StateSchema = Type.Object(stateFields, {
  examples: [{ state: 'running', progress: 0.42, startedAt: '2026-01-31T09:00:00Z' }],
});

const PictureSchema = Type.Object({ face: Type.String(), thumbnail: ThumbnailSchema });
const OddSchema = Type.Object({
  picture: PictureSchema,
  nearest: Type.Object(
    { ...PictureSchema.properties, distance: DistanceSchema },
    { description: "The nearest of the person's other pictures, or of those that most of them are like." },
  ),
  other: Nullable(
    Type.Object(
      { person: PersonSchema, ...PictureSchema.properties, distance: DistanceSchema },
      { description: 'Somebody else who is nearer.' },
    ),
  ),
});

const exampleOdd = {
  picture: { face: 'staff-ada_20260131_090000_m0a1b2c3d4e', thumbnail: null },
  nearest: { face: 'staff-ada_20260131_090100_m1a1b2c3d4e', thumbnail: null, distance: 1.31 },
  other: null,
};
const exampleList = { total: 0, found: [] };

const list = (entry: TSchema) =>
  Type.Object({ total: Type.Integer({ minimum: 0 }), found: Type.Array(entry) });

const FoundSchema = Type.Object(
  {
    ...StateSchema.properties,
    pictures: Type.Integer({ minimum: 0, description: 'Looked at; 0 for a key that is tied to groups.' }),
    threshold: Nullable(DistanceSchema),
    disagreeing: list(
      Type.Object({
        person: PersonSchema,
        undecided: Type.Boolean({ description: 'As many pictures show one as show another.' }),
        pictures: Type.Array(OddSchema),
      }),
    ),
    pairs: list(
      Type.Object({
        people: Type.Array(PersonSchema, { minItems: 2, maxItems: 2 }),
        pictures: Type.Array(PictureSchema, { minItems: 2, maxItems: 2 }),
        distance: DistanceSchema,
        ...oddsFields,
      }),
    ),
    weak: list(
      Type.Object({
        person: PersonSchema,
        reason: Type.Enum(['nearer-to-another', 'far-from-own'], {
          description:
            "`nearer-to-another`: than to the person's other pictures; `far-from-own`: those would not recognise it.",
        }),
        ...OddSchema.properties,
      }),
    ),
    withoutPictures: list(PersonSchema),
    damaged: Nullable(
      Type.Integer({
        minimum: 0,
        description: 'Files that belong to nobody any more, set aside; null: this key may not know.',
      }),
    ),
  },
  {
    examples: [
      {
        ...{
          state: 'done',
          progress: 1,
          startedAt: '2026-01-31T09:00:00Z',
          finishedAt: '2026-01-31T09:00:09Z',
        },
        ...{ pictures: 12, threshold: 0.42 },
        disagreeing: { total: 1, found: [{ person: EXAMPLE, undecided: false, pictures: [exampleOdd] }] },
        ...{ pairs: exampleList, weak: exampleList, withoutPictures: exampleList, damaged: 0 },
      },
    ],
  },
);

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

/** Findings about people of the caller's groups alone. */
function asSeenBy(request: Pick<FastifyRequest, 'caller'>, all: Findings): Findings {
  if (!request.caller.groups) return all;
  const sees = (faceid: string) => mayUseGroup(request, splitFaceId(faceid)?.groupid ?? '');
  const without = <T extends OddPicture>({ other, ...rest }: T) =>
    ({ ...rest, ...(other && sees(other.faceid) && { other }) }) as T;
  const disagreeing = all.disagreeing
    .filter(({ faceid }) => sees(faceid))
    .map((one) => ({ ...one, pictures: one.pictures.map(without) }));
  const pairs = all.pairs.filter(({ faceids }) => faceids.every(sees));
  const weak = all.weak.filter(({ faceid }) => sees(faceid)).map(without);
  // That a picture is nearer to somebody is no secret, but who it is: without that it is not shown as such.
  const shown = weak.filter(({ reason, other }) => reason !== 'nearer-to-another' || other);
  const totals = { disagreeing: disagreeing.length, pairs: pairs.length, weak: shown.length };
  return { ...all, disagreeing, pairs, weak: shown, totals };
}

async function collect<T, R>(things: readonly T[], show: (thing: T) => Promise<R | undefined>): Promise<R[]> {
  const shown: R[] = [];
  for (const thing of things) {
    const one = await show(thing);
    if (one !== undefined) shown.push(one);
  }
  return shown;
}

/** Findings with the people as they are now: what was put right since is left out. */
function createShow(request: Pick<FastifyRequest, 'caller'>, { gallery }: Pick<Services, 'gallery'>) {
  const thumbnailOf = thumbnailsFor(request.caller);
  const people = new Map<string, Promise<Person | undefined>>();

  function find(faceid: string): Promise<Person | undefined> {
    let found = people.get(faceid);
    if (!found) people.set(faceid, (found = gallery.person(faceid)));
    return found;
  }

  const faceOf = (person: Person | undefined, id: string): Face | undefined =>
    person?.faces.find((face) => face.id === id);

  const picture = (person: Person, face: Face) => ({ face: face.id, thumbnail: thumbnailOf(person, face) });

  async function odd(person: Person, { face: id, nearest, distance, other }: OddPicture) {
    const [face, near] = [faceOf(person, id), faceOf(person, nearest)];
    if (!face || !near) return undefined;
    const stranger = other && (await find(other.faceid));
    const theirs = other && faceOf(stranger, other.face);
    return {
      picture: picture(person, face),
      nearest: { ...picture(person, near), distance },
      other:
        stranger && theirs
          ? {
              person: toPerson(stranger, thumbnailOf),
              ...picture(stranger, theirs),
              distance: Math.max(0, other.distance),
            }
          : null,
    };
  }

  return {
    async disagreement({ faceid, undecided, pictures }: Disagreement) {
      const person = await find(faceid);
      if (!person) return undefined;
      const shown = await collect(pictures, (one) => odd(person, one));
      return shown.length > 0
        ? { person: toPerson(person, thumbnailOf), undecided, pictures: shown }
        : undefined;
    },

    async pair({ faceids, faces, distance }: NearPair) {
      const both = await Promise.all(faceids.map(find));
      const [one, two] = both;
      const [mine, theirs] = both.map((person, i) => faceOf(person, faces[i]));
      if (!one || !two || !mine || !theirs) return undefined;
      // Somebody has said since that they are two.
      const isSaid =
        gallery.corrections({ faceid: one.faceid }).length > 0 &&
        gallery.corrections({ faceid: two.faceid }).length > 0 &&
        (await isToldApart([one, two], [mine, theirs], distance));
      if (isSaid) return undefined;
      return {
        people: [toPerson(one, thumbnailOf), toPerson(two, thumbnailOf)],
        pictures: [picture(one, mine), picture(two, theirs)],
        distance: Math.max(0, distance),
      };
    },

    async weak({ faceid, reason, ...picture }: WeakPicture) {
      const person = await find(faceid);
      const shown = person && (await odd(person, picture));
      return shown && { person: toPerson(person, thumbnailOf), reason, ...shown };
    },
  };

  /** Whether each is ruled out for the other's picture. */
  async function isToldApart(
    people: [Person, Person],
    faces: [Face, Face],
    distance: number,
  ): Promise<boolean> {
    for (const [i, { faceid }] of people.entries()) {
      const other = people[1 - i];
      const vectors = await gallery.vectors(other.faceid).catch(() => []);
      const vector = vectors.find(({ face }) => face.id === faces[1 - i].id)?.vector;
      if (!vector || !gallery.ruledOut(faceid, vector, distance)) return false;
    }
    return true;
  }
}

export type CheckupState = Static<typeof StateSchema>;
