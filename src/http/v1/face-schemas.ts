import { Type, type Static } from 'typebox';
import type { Gallery } from '../../gallery/types.js';
import { tellOdds } from '../../identity/odds.js';
import type { RatedMatch } from '../../identity/types.js';
import { type AnalysedFace, type Quality, UNFIT } from '../../vision/types.js';
import { DistanceSchema, Nullable, oddsFields } from '../schemas.js';
import { type ThumbnailOf, ThumbnailSchema } from './thumbnails.js';

const pixel = Type.Number({ description: 'Pixels of the upright picture.' });
const angle = Type.Number({ minimum: -180, maximum: 180, description: 'Degrees, estimated.' });
const share = Type.Number({ minimum: 0, maximum: 1 });

/** How fit a face is for enrolment (docs/quality.md). */
export const QualitySchema = Type.Object({
  size: Type.Number({ minimum: 0, description: 'Shorter side of the box, pixels.' }),
  sharpness: Type.Number({ minimum: 0, description: 'Variance of the Laplacian; little is blurred.' }),
  brightness: Type.Number({ minimum: 0, maximum: 255 }),
  yaw: Type.Optional(angle),
  pitch: Type.Optional(angle),
  roll: Type.Optional(angle),
});

/** Why a face is given no name. */
export const UnfitSchema = Type.Enum([...UNFIT], {
  description:
    'Only of a face that nobody can be told apart by: it lies on its side, or is too small or too blurred. It is nobody’s, and `quality` goes with it (docs/quality.md).',
});

const faceFields = {
  box: Type.Object(
    { x: pixel, y: pixel, width: pixel, height: pixel },
    { description: 'May reach outside the picture.' },
  ),
  probability: { ...share, description: "The detector's." },
  landmarks: Type.Optional(
    Type.Array(Type.Array(pixel, { minItems: 2, maxItems: 2 }), {
      minItems: 5,
      maxItems: 5,
      description: 'Left eye, right eye (as seen), nose, left and right corner of the mouth: `[x, y]` each.',
    }),
  ),
  quality: Type.Optional(QualitySchema),
  reason: Type.Optional(UnfitSchema),
  age: Type.Optional(
    Nullable(Type.Number({ description: 'Years, estimated; null: this server has no network for it.' })),
  ),
  gender: Type.Optional(Nullable(Type.Object({ value: Type.Enum(['male', 'female']), probability: share }))),
};

export const FaceSchema = Type.Object(faceFields);

const MatchSchema = Type.Object({
  faceid: Type.String(),
  groupid: Type.String(),
  userid: Type.String(),
  username: Type.String(),
  groupname: Type.String(),
  distance: DistanceSchema,
  ...oddsFields,
  face: Type.String({ description: "The nearest of the person's pictures: its ID." }),
  thumbnail: ThumbnailSchema,
});

export const NamedFaceSchema = Type.Object({
  ...faceFields,
  matches: Type.Array(MatchSchema, { description: 'Nearest first; empty for an unknown face.' }),
});

export const EmbeddedFaceSchema = Type.Object({
  ...faceFields,
  embedding: Type.Array(Type.Number({ minimum: -1.01, maximum: 1.01 }), { description: 'Unit length.' }),
});

const exampleFace = {
  box: { x: 212.4, y: 80.1, width: 96.2, height: 121.7 },
  probability: 0.9981,
};
const exampleMatch = {
  faceid: 'staff-ada',
  groupid: 'staff',
  userid: 'ada',
  username: 'Ada',
  groupname: 'Staff',
  distance: 0.0871,
  odds: 38.4,
  oddsAtMost: false,
  face: 'staff-ada_20260131_090000_m0a1b2c3d4e',
  thumbnail: '/api/v1/people/staff-ada/faces/staff-ada_20260131_090000_m0a1b2c3d4e/picture',
};
const quality = { size: 96.2, sharpness: 44.1, brightness: 121.3, yaw: -2.4, pitch: 6.3, roll: -0.5 };
const times = { queue: 0.1, decode: 4.2, detect: 38.5, embed: 41.9 };

/** Examples of answers. */
export const EXAMPLES = {
  detection: { width: 640, height: 480, faces: [{ ...exampleFace, quality }], times },
  recognition: {
    width: 640,
    height: 480,
    faces: [{ ...exampleFace, matches: [exampleMatch] }],
    times: { ...times, search: 0.2 },
  },
  embeddings: {
    width: 640,
    height: 480,
    pack: 'facenet',
    faces: [{ ...exampleFace, embedding: [0.0312, -0.0551, 0.0107] }],
    times,
  },
  verification: {
    same: true,
    corrected: false,
    distance: 0.0871,
    threshold: 0.49,
    falseMatchRate: 3.1e-6,
    falseMatchRateAtMost: false,
    probe: { width: 640, height: 480, face: exampleFace },
    against: null,
    person: { faceid: 'staff-ada', username: 'Ada', face: exampleMatch.face },
    times: { ...times, search: 0.1 },
  },
};

/** What an answer says about a picture, besides its faces. */
export const pictureFields = {
  width: Type.Integer({ minimum: 1, description: 'Of the upright picture, pixels.' }),
  height: Type.Integer({ minimum: 1 }),
  leftOut: Type.Optional(
    Type.Integer({
      minimum: 1,
      description: 'Faces beyond `MAX_FACES`, the smaller ones: found and not looked at. At least so many.',
    }),
  ),
  times: Type.Record(Type.String(), Type.Number({ minimum: 0 }), {
    description: 'Where the time went, milliseconds by stage.',
  }),
};

const round = (value: number, digits: number) => Math.round(value * 10 ** digits) / 10 ** digits;

/** Quality as an answer gives it. */
export function toQuality(quality: Quality): Static<typeof QualitySchema> {
  return Object.fromEntries(
    Object.entries(quality).map(([name, value]: [string, number]) => [name, round(value, 1)]),
  ) as Static<typeof QualitySchema>;
}

/**
 * @param options `ageGender`: they were asked for, and are null where no network estimates them; `quality`: it was asked
 *   for (that of an unfit face is always given)
 */
export function toFace(
  face: AnalysedFace,
  { ageGender = false, quality: isRated = false } = {},
): Static<typeof FaceSchema> {
  const { box, probability, landmarks, quality, unfit, age, gender } = face;
  return {
    box: {
      x: round(box.x1, 1),
      y: round(box.y1, 1),
      width: round(box.x2 - box.x1, 1),
      height: round(box.y2 - box.y1, 1),
    },
    probability: round(probability, 4),
    landmarks: landmarks && toPoints(landmarks),
    quality: quality && (isRated || unfit) ? toQuality(quality) : undefined,
    reason: unfit,
    age: ageGender ? (age === undefined ? null : round(age, 1)) : undefined,
    gender: ageGender ? (gender ?? null) : undefined,
  };
}

const toPoints = (landmarks: Float32Array) =>
  Array.from({ length: 5 }, (_, i) => [round(landmarks[2 * i], 1), round(landmarks[2 * i + 1], 1)]);

/** Matches as an answer gives them. @param thumbnailOf as `thumbnailsFor` gives it for the caller */
export function toMatches(
  matches: readonly RatedMatch[],
  gallery: Pick<Gallery, 'groups'>,
  thumbnailOf: ThumbnailOf,
) {
  if (matches.length === 0) return [];
  const names = new Map(gallery.groups().map(({ groupid, groupname }) => [groupid, groupname]));
  return matches.map(({ person, face, distance, odds }) => ({
    faceid: person.faceid,
    groupid: person.groupid,
    userid: person.userid,
    username: person.username,
    groupname: names.get(person.groupid) ?? person.groupid,
    distance: round(Math.max(0, distance), 6),
    ...tellOdds(odds),
    face: face.id,
    thumbnail: thumbnailOf(person, face),
  }));
}
