import type { FastifyRequest } from 'fastify';
import { Type, type Static } from 'typebox';
import { KaomonError } from '../../platform/errors.js';
import { splitFaceId } from '../../gallery/ids.js';
import type { Seen, Side } from '../../identity/verify.js';
import { requireGroupAccess } from '../access.js';
import type { App } from '../app-type.js';
import { onBehalfOf } from '../on-behalf.js';
import { pictureRefusals } from '../intake/one-by-one.js';
import { decodeBase64 } from '../intake/base64.js';
import { Base64Schema, pictureBodyLimit, requirePictures, TINY_PICTURE } from '../intake/pictures.js';
import { BytesSchema, DistanceSchema, FaceidSchema, Nullable } from '../schemas.js';
import { serverTiming } from '../server-timing.js';
import type { Services } from '../services.js';
import { EXAMPLES, FaceSchema, toFace } from './face-schemas.js';

const strict = { additionalProperties: false };
const PictureSide = Type.Object({ image: Base64Schema }, strict);
const VectorSide = Type.Object(
  {
    vector: Type.Array(Type.Number({ minimum: -1e6, maximum: 1e6 }), { minItems: 1, maxItems: 4096 }),
    pack: Type.String({ maxLength: 64, description: 'The pack that made it, as /embed answers it.' }),
  },
  strict,
);
const PersonSide = Type.Object({ faceid: FaceidSchema }, strict);

const SidesSchema = Type.Object(
  {
    probe: Type.Union([PictureSide, VectorSide]),
    against: Type.Union([PictureSide, VectorSide, PersonSide]),
  },
  { ...strict, examples: [{ probe: { image: TINY_PICTURE }, against: { faceid: 'staff-ada' } }] },
);

const FormSchema = Type.Object(
  {
    image: Type.Optional({
      ...BytesSchema,
      description: 'The probe; a second part of this name is what it is compared with.',
    }),
    faceid: Type.Optional(FaceidSchema),
  },
  { examples: [{ image: '(a file)', faceid: 'staff-ada' }] },
);

const SeenSchema = Nullable(
  Type.Object({
    width: Type.Integer({ minimum: 1 }),
    height: Type.Integer({ minimum: 1 }),
    face: FaceSchema,
  }),
);

const VerificationSchema = Type.Object(
  {
    same: Type.Boolean({ description: 'The distance is below the threshold, and nobody said otherwise.' }),
    corrected: Type.Boolean({
      description:
        'Somebody said that a face like this is not the person’s (docs/corrections.md): `same` is false, however near.',
    }),
    distance: DistanceSchema,
    threshold: DistanceSchema,
    falseMatchRate: Nullable(
      Type.Number({
        minimum: 0,
        maximum: 1,
        description:
          'FMR at the distance: of pairs of two people such a part lies as near. Of this one comparison, whoever is enrolled; null: nobody measured this pack.',
      }),
    ),
    falseMatchRateAtMost: Type.Boolean({
      description: "So much or less: the pack's measured pairs can tell no more.",
    }),
    probe: { ...SeenSchema, description: 'The face of the picture; null for a vector.' },
    against: SeenSchema,
    person: Nullable(
      Type.Object({
        faceid: Type.String(),
        username: Type.String(),
        face: Type.String({ description: "The nearest of the person's pictures." }),
      }),
    ),
    times: Type.Record(Type.String(), Type.Number({ minimum: 0 })),
  },
  { examples: [EXAMPLES.verification] },
);

/** `POST /api/v1/verify`. */
export function verifyRoutes(app: App, { config, verifier }: Services): void {
  const { MAX_UPLOAD_BYTES: maxUploadBytes } = config;
  app.post(
    '/api/v1/verify',
    {
      config: { access: 'recognise', pictures: { texts: ['faceid'] } },
      bodyLimit: pictureBodyLimit(maxUploadBytes),
      schema: {
        summary: 'Tell whether two faces are the same person’s',
        description:
          'A picture or a vector (the probe) against a picture, a vector or an enrolled person. ' +
          'What cannot be compared is said with the side that it is: `details.side` is `probe`, `against` or `both`. ' +
          'A form takes one or two files `image`, or one and a `faceid`; JSON takes each of the kinds.',
        tags: ['recognition'],
        querystring: Type.Object(
          {
            threshold: Type.Optional(
              Type.Number({
                minimum: 0,
                maximum: 4,
                description:
                  'Squared L2. Default: `thresholds.pair` of health, which does not hang on the gallery.',
              }),
            ),
          },
          strict,
        ),
        body: {
          content: {
            'application/json': { schema: SidesSchema },
            'multipart/form-data': { schema: FormSchema },
          },
        },
        response: { 200: VerificationSchema, ...pictureRefusals(404, 409) },
      },
    },
    async (request, reply): Promise<Static<typeof VerificationSchema>> => {
      const { probe, against } = await sidesOf(request, maxUploadBytes);
      if ('faceid' in against) requireGroupAccess(request, splitFaceId(against.faceid)?.groupid ?? '');
      const result = await verifier.verify(probe, against, {
        threshold: request.query.threshold,
        ...onBehalfOf(request),
      });
      reply.header('server-timing', serverTiming(result.times));
      const { match } = result.against;
      return {
        same: result.same,
        corrected: result.corrected,
        distance: Math.max(0, result.distance),
        threshold: result.threshold,
        falseMatchRate: result.falseMatchRate ?? null,
        falseMatchRateAtMost: result.falseMatchRateAtMost,
        probe: describe(result.probe),
        against: describe(result.against),
        person: match
          ? { faceid: match.person.faceid, username: match.person.username, face: match.face.id }
          : null,
        times: { ...result.times },
      };
    },
  );
}

function describe({ width, height, face }: Seen) {
  return face && width && height ? { width, height, face: toFace(face) } : null;
}

interface Sides {
  probe: Exclude<Side, { faceid: string }>;
  against: Side;
}

/** @throws KaomonError FIELD_MISSING, IMAGE_MISSING and why a picture cannot be taken */
async function sidesOf(request: FastifyRequest, maxBytes: number): Promise<Sides> {
  if (request.mediaType === 'application/json') {
    const { probe, against } = request.body as Static<typeof SidesSchema>;
    const { gone: signal } = request;
    const side = async (given: Static<typeof PictureSide> | Static<typeof VectorSide>, name: string) => {
      if (!('image' in given)) return given;
      return { bytes: await decodeBase64(given.image, { maxBytes, signal, field: `${name}.image` }) };
    };
    return {
      probe: await side(probe, 'probe'),
      against: 'faceid' in against ? against : await side(against, 'against'),
    };
  }
  const { faceid } = request.body as Static<typeof FormSchema>;
  const { length } = request.pictures;
  if (length === (faceid === undefined ? 2 : 1)) {
    const [probe, against] = requirePictures(request).map((bytes) => ({ bytes }));
    return { probe, against: faceid === undefined ? against : { faceid } };
  }
  throw new KaomonError(
    'FIELD_MISSING',
    'Two sides are compared: send two files "image", or one and a "faceid", or JSON with "probe" and "against".',
    { details: { field: length > 0 ? 'against' : 'image' } },
  );
}
