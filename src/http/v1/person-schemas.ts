import { Type, type Static } from 'typebox';
import type { Person } from '../../gallery/types.js';
import { EXPIRING_DAYS } from '../../gallery/consent.js';
import { IdSchema, NameSchema, Nullable, TimeSchema } from '../schemas.js';
import { CONSENT_EXAMPLE, ConsentSchema, NewConsentSchema, toConsent } from './consent-schemas.js';
import { type ThumbnailOf, ThumbnailSchema } from './thumbnails.js';

/** People on a page, unless the caller says otherwise. */
export const PAGE = 100;
export const strict = { additionalProperties: false };

const MetadataSchema = Type.Record(
  Type.String({ maxLength: 64 }),
  Type.Union([
    Type.String({ maxLength: 1000 }),
    Type.Number({ minimum: -1e15, maximum: 1e15 }),
    Type.Boolean(),
    Type.Null(),
  ]),
  { maxProperties: 50, description: 'What you want to remember of the person; small.' },
);

/** A person as an answer gives one. */
export const EXAMPLE = {
  faceid: 'staff-ada',
  groupid: 'staff',
  userid: 'ada',
  username: 'Ada',
  metadata: { room: 12 },
  consent: { ...CONSENT_EXAMPLE, by: 'office', state: 'valid' as const },
  faces: 2,
  enrolledAt: '2026-01-31T09:00:00Z',
  thumbnail: '/api/v1/people/staff-ada/faces/staff-ada_20260131_090000_m0a1b2c3d4e/picture',
};

export const PersonSchema = Type.Object(
  {
    faceid: Type.String(),
    groupid: Type.String(),
    userid: Type.String(),
    username: Type.String(),
    metadata: Type.Record(
      Type.String(),
      Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]),
    ),
    consent: { ...Nullable(ConsentSchema), description: 'Null: none was recorded.' },
    faces: Type.Integer({ minimum: 0, description: 'Enrolled pictures.' }),
    enrolledAt: { ...Nullable(TimeSchema), description: 'Of the oldest picture; null while there is none.' },
    thumbnail: ThumbnailSchema,
  },
  {
    examples: [EXAMPLE],
  },
);

export const NewPersonSchema = Type.Object(
  {
    groupid: IdSchema,
    userid: IdSchema,
    username: Type.Optional(NameSchema),
    metadata: Type.Optional(MetadataSchema),
    consent: Type.Optional(NewConsentSchema),
  },
  {
    ...strict,
    examples: [
      {
        ...{ groupid: 'staff', userid: 'grace', username: 'Grace', metadata: { room: 12 } },
        consent: { given: '2024-05-02', how: 'form', note: 'Folder 12' },
      },
    ],
  },
);

export const ChangeSchema = Type.Object(
  {
    username: Type.Optional(NameSchema),
    metadata: Type.Optional({ ...MetadataSchema, description: 'Takes the place of all that was there.' }),
    consent: Type.Optional({
      ...Nullable(NewConsentSchema),
      description: 'Takes the place of the one that was recorded; null takes it away.',
    }),
    groupid: Type.Optional({ ...IdSchema, description: 'Moves the person.' }),
    userid: Type.Optional({ ...IdSchema, description: 'Gives the person another ID.' }),
  },
  { ...strict, minProperties: 1, examples: [{ username: 'Ada L.', groupid: 'default' }] },
);

export const PeopleQuery = Type.Object(
  {
    group: Type.Optional(
      Type.String({ maxLength: 64, description: 'Of this group only.', examples: ['staff'] }),
    ),
    search: Type.Optional(
      Type.String({
        maxLength: 200,
        description:
          'Part of the name or of the user ID, in small or capital letters, with accents or without, in full or half width, in katakana or hiragana.',
        examples: ['ad'],
      }),
    ),
    pictures: Type.Optional(
      Type.Enum(['none', 'some'], {
        description:
          'Only people without a picture, or with one. `none`: to be enrolled, or enrolled again after a change of pack.',
      }),
    ),
    consent: Type.Optional(
      Type.Enum(['none', 'valid', 'expiring', 'over'], {
        description: `Only people whose consent is so: \`expiring\` ends within ${EXPIRING_DAYS} days, \`over\` has ended and the person is about to be deleted.`,
      }),
    ),
    sort: Type.Optional(
      Type.Enum(['id', 'name', 'newest', 'faces'], {
        description:
          '`id`: by faceid, the default. `name`: in small letters, without accents. `newest`: who was enrolled last comes first, and who has no picture last. `faces`: who has most pictures comes first. All but `id` look at everybody, and go on with `offset`, not with `after`.',
      }),
    ),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: `Default ${PAGE}.` })),
    offset: Type.Optional(Type.Integer({ minimum: 0, maximum: 1e9, description: 'People to pass over.' })),
    after: Type.Optional(
      Type.String({
        maxLength: 200,
        description:
          'Only people behind this faceid: `next` of the page before. Nobody is listed twice or left out when others come and go meanwhile.',
        examples: ['staff-ada'],
      }),
    ),
  },
  strict,
);

/** A person for a caller. @param thumbnailOf as `thumbnailsFor` gives it for the caller */
export function toPerson(person: Person, thumbnailOf: ThumbnailOf): Static<typeof PersonSchema> {
  const { faceid, groupid, userid, username, metadata, faces, enrolledAt = null } = person;
  return {
    ...{ faceid, groupid, userid, username, metadata, consent: toConsent(person.consent) },
    ...{ faces: faces.length, enrolledAt, thumbnail: thumbnailOf(person) },
  };
}
