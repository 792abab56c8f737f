import { Type, type Static } from 'typebox';
import type { Identification } from '../../identity/identify.js';
import type { IdentifiedFace } from '../../identity/types.js';
import { tellOdds } from '../../identity/odds.js';
import type { App } from '../app-type.js';
import { formIntoBody, formLimit } from '../intake/form.js';
import { OutcomeSchema } from './format.js';
import { onBehalfOf } from '../on-behalf.js';
import { placeOf } from '../place.js';
import { BytesSchema, errorsOf, Nullable, oddsFields } from '../schemas.js';
import { QualitySchema, toQuality, UnfitSchema } from '../v1/face-schemas.js';
import { tellOf } from '../server-timing.js';
import type { Services } from '../services.js';

const pixels = Type.Integer({ minimum: 0, description: 'Pixels of the posted picture, upright.' });

const FoundFaceSchema = Type.Object({
  result: Type.Literal('detect'),
  faceid: Type.String({ description: 'Empty for an unknown face.' }),
  userid: Nullable(Type.String()),
  username: Nullable(Type.String()),
  groupid: Nullable(Type.String()),
  groupname: Nullable(Type.String()),
  probability: Type.Number({
    minimum: 0,
    maximum: 100,
    description: '100 * (1 - distance), and 0 from a distance of 1 on; how sure the name is say `odds`.',
  }),
  x: pixels,
  y: pixels,
  width: pixels,
  height: pixels,
  distance: Nullable(
    Type.Number({
      minimum: 0,
      maximum: 4.01,
      description: 'Ours: squared L2 distance to the nearest person.',
    }),
  ),
  ...oddsFields,
  reason: Type.Optional(UnfitSchema),
  quality: Type.Optional(QualitySchema),
});
const EXAMPLE = {
  result: 'detect',
  faceid: 'staff-ada',
  userid: 'ada',
  username: 'Ada',
  groupid: 'staff',
  groupname: 'Staff',
  probability: 91.3,
  x: 212,
  y: 80,
  width: 96,
  height: 122,
  distance: 0.087,
  odds: 38.4,
  oddsAtMost: false,
};
type FoundFace = Static<typeof FoundFaceSchema>;

/** `POST /api/face_recognizer`. */
export function faceRecognizerRoutes(app: App, services: Services): void {
  const { config, identifier, gallery } = services;
  app.post(
    '/api/face_recognizer',
    {
      bodyLimit: formLimit(config.MAX_UPLOAD_BYTES),
      config: { access: 'recognise' },
      preValidation: formIntoBody({
        files: ['image'],
        texts: ['deviceid'],
        maxBytes: config.MAX_UPLOAD_BYTES,
      }),
      schema: {
        summary: 'Tell who is in a picture',
        tags: ['maiface'],
        consumes: ['multipart/form-data'],
        body: Type.Object(
          {
            image: BytesSchema,
            deviceid: Type.Optional(Type.String({ maxLength: 1000, description: 'May be empty.' })),
          },
          { examples: [{ image: '(a file)', deviceid: '' }] },
        ),
        response: {
          200: Type.Array(FoundFaceSchema, { examples: [[EXAMPLE]] }),
          ...errorsOf(OutcomeSchema, 400, 413, 415, 500, 503),
        },
      },
    },
    async (request, reply) => {
      const { groups } = request.caller;
      const { image, deviceid = '' } = request.body;
      const found = await identifier.identifyPicture(image, onBehalfOf(request), {
        groups,
        deviceid,
        place: placeOf(request, deviceid),
      });
      tellOf(reply, found);
      const groupnames = new Map(gallery.groups().map(({ groupid, groupname }) => [groupid, groupname]));
      return found.faces.map((face) => describe(face, found, groupnames));
    },
  );
}

function describe(
  { face, candidates, match }: IdentifiedFace,
  picture: Pick<Identification, 'width' | 'height'>,
  groupnames: ReadonlyMap<string, string>,
): FoundFace {
  const person = match?.person;
  // A detector's box may reach outside the picture; programs cut by these numbers.
  const left = clamp(face.box.x1, picture.width);
  const top = clamp(face.box.y1, picture.height);
  const nearest = candidates.at(0);
  const distance = nearest ? Math.max(0, nearest.distance) : null;
  return {
    result: 'detect',
    faceid: person?.faceid ?? '',
    userid: person?.userid ?? null,
    username: person?.username ?? null,
    groupid: person?.groupid ?? null,
    groupname: person ? (groupnames.get(person.groupid) ?? person.groupid) : null,
    probability: distance === null ? 0 : toProbability(distance),
    x: left,
    y: top,
    width: clamp(face.box.x2, picture.width) - left,
    height: clamp(face.box.y2, picture.height) - top,
    distance,
    ...tellOdds(nearest?.odds),
    reason: face.unfit,
    quality: face.unfit && face.quality && toQuality(face.quality),
  };
}

function clamp(value: number, length: number): number {
  return Math.max(0, Math.min(length, Math.round(value)));
}

/**
 * maiface's `round(1 - distance, 3) * 100`, and 0 from a distance of 1 on.
 * @param distance squared L2, 0 to 4
 * @returns 0 to 100 with one decimal
 */
export function toProbability(distance: number): number {
  return distance >= 1 ? 0 : Math.round((1 - distance) * 1000) / 10;
}
