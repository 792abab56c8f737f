import { Type, type TSchema } from 'typebox';
import { DistanceSchema, Nullable, oddsFields, TimeSchema } from '../schemas.js';
import { EXAMPLE, PersonSchema } from './person-schemas.js';
import { ThumbnailSchema } from './thumbnails.js';

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

/** What a check-up found, with the people and pictures that it is about. */
export const FoundSchema = Type.Object(
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
