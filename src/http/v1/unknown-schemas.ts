import { Type, type Static } from 'typebox';
import { UNKNOWN_ID } from '../../sightings/unknowns/ids.js';
import type { Unknown } from '../../sightings/unknowns/types.js';
import { FaceidSchema, Nullable, TimeSchema } from '../schemas.js';

export const UNKNOWN_EXAMPLE = {
  id: 'u-7',
  visits: 3,
  first: '2026-11-27T08:59:02.120Z',
  last: '2026-11-27T17:20:14.480Z',
  deviceids: ['door'],
  pictures: ['/api/v1/sightings/12/picture'],
  ignored: false,
  like: null,
};

export const UnknownIdSchema = Type.String({
  pattern: UNKNOWN_ID.source,
  description: 'A stranger: `u-7`.',
  examples: ['u-7'],
});

const UnknownFields = {
  id: UnknownIdSchema,
  visits: Type.Integer({ minimum: 1 }),
  first: { ...TimeSchema, description: 'When they were first seen, of the visits that are kept.' },
  last: TimeSchema,
  deviceids: Type.Array(Type.String(), { description: 'The cameras, in order; at most 20.' }),
  pictures: Type.Array(Type.String(), {
    description: 'Addresses of the best pictures, at most three; none without `KEEP_SIGHTINGS`.',
  }),
  ignored: Type.Boolean({ description: 'Nobody is told of them.' }),
  like: Nullable({
    ...UnknownIdSchema,
    description: 'Another stranger who may be the same person. They are not joined before somebody says so.',
  }),
};
export const UnknownSchema = Type.Object(UnknownFields, { examples: [UNKNOWN_EXAMPLE] });

const undo = Type.String({
  description: 'Takes it back: the token for `/api/v1/unknowns/undo`; for a week.',
});
export const UndoableUnknownSchema = Type.Object(
  { ...UnknownFields, undo },
  { examples: [{ ...UNKNOWN_EXAMPLE, ignored: true, undo: 'kq3XW0b2TfQm8R1u' }] },
);

export const NAMED_EXAMPLE = {
  faceid: 'staff-ada',
  sightings: 3,
  faces: ['staff-ada_20260131_090000_m0a1b2c3d4e'],
  undo: 'kq3XW0b2TfQm8R1u',
};

export const NamedSchema = Type.Object(
  {
    faceid: FaceidSchema,
    sightings: Type.Integer({ minimum: 1, description: 'So many visits carry the name now.' }),
    faces: Type.Array(Type.String(), { description: 'IDs of the faces that were enrolled, at most three.' }),
    undo,
  },
  {
    examples: [NAMED_EXAMPLE],
  },
);

export const force = Type.Optional(
  Type.Boolean({
    description:
      'Even if the face is enrolled under another person, or is not like the other faces of this one.',
  }),
);

export const toUnknown = ({
  id,
  visits,
  first,
  last,
  deviceids,
  pictures,
  isIgnored,
  like,
}: Unknown): Static<typeof UnknownSchema> => ({
  id,
  visits,
  first: new Date(first).toISOString(),
  last: new Date(last).toISOString(),
  deviceids,
  pictures: pictures.map((sighting) => `/api/v1/sightings/${sighting}/picture`),
  ignored: isIgnored,
  like,
});
