import { Type, type Static, type TSchema } from 'typebox';
import { ERROR_CODES } from '../platform/errors.js';

/** Schemas that several resources share. */

export const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/** A group's or person's ID as a path or a form gives it; the gallery decides which are valid. */
export const IdSchema = Type.String({
  minLength: 1,
  maxLength: 64,
  description: '1 to 64 letters, digits, `_` or `.`, no dot at the start.',
});

/** `groupid-userid`, as a path or a body gives it. */
export const FaceidSchema = Type.String({
  minLength: 1,
  maxLength: 129,
  description: 'A person: `groupid-userid`.',
  examples: ['staff-ada'],
});

/** A picture of a person, as a path gives it. */
export const FaceNameSchema = Type.String({
  minLength: 1,
  maxLength: 200,
  description: "A picture's ID, as the list of the person's pictures gives it.",
});

/** The name that is shown. */
export const NameSchema = Type.String({ maxLength: 200, description: 'Name to show.' });

/** A distance in an answer; rounding in float32 may exceed 4 by a hair. */
export const DistanceSchema = Type.Number({
  minimum: 0,
  maximum: 4.01,
  description: 'Squared L2 distance of the two unit vectors: 0 the same picture, 2 unrelated.',
});

/** How many strangers would come as near; goes with every distance to somebody enrolled. */
export const oddsFields = {
  odds: Nullable(
    Type.Number({
      minimum: 0,
      maximum: 1_000_000,
      description:
        'Of a million strangers so many would come as near to somebody of those searched; null: nobody measured this pack, or nobody is enrolled.',
    }),
  ),
  oddsAtMost: Type.Boolean({ description: "So many or fewer: the pack's measured pairs can tell no more." }),
};

const part = Type.Number({ minimum: 0, maximum: 1 });

/** The threshold in force and what it means; see docs/thresholds.md. */
export const ThresholdsSchema = Type.Object(
  {
    identical: Type.Number({ minimum: 0, maximum: 4, description: 'A face is named below it.' }),
    sure: Type.Number({ minimum: 0, maximum: 4, description: 'Below it the name is sure.' }),
    pair: Type.Number({
      minimum: 0,
      maximum: 4,
      description: "Two single faces are one person's below it: the default of `verify`.",
    }),
    faces: Type.Integer({ minimum: 0, description: 'So many faces are searched.' }),
    by: Type.Enum(['faces', 'limit', 'setting', 'pack', 'chosen'], {
      description:
        'What sets `identical`: the faces searched, the loosest FMR there may be, `IDENTICAL_DISTANCE`, the pack, or what was chosen in its place (`PUT /api/v1/threshold`).',
    }),
    falseNames: Nullable({
      ...part,
      description: 'The part of strangers who are given a name at most; null: nobody measured it.',
    }),
    falseMatchRate: Nullable({
      ...part,
      description: 'FMR at `identical`: of pairs of two people such a part lies nearer, at most.',
    }),
    pairs: Nullable(Type.Integer({ minimum: 1, description: 'Measured impostor pairs behind the rates.' })),
    beyondPairs: Type.Boolean({
      description:
        'The pairs cannot tell the rates of so near a threshold: they are what the pairs vouch for.',
    }),
    sentence: Type.String({ description: 'All of this for a person.' }),
  },
  { description: 'Squared L2 distances, and what they mean for those whom the caller may see.' },
);

/** ISO 8601, UTC. */
export const TimeSchema = Type.String({ maxLength: 40, description: 'ISO 8601, UTC.' });

/** Surface 2's error body. */
export const ErrorSchema = Type.Object(
  {
    statusCode: Type.Integer({ minimum: 400, maximum: 599 }),
    code: Type.Enum(ERROR_CODES),
    error: Type.String({ description: "The status' name." }),
    message: Type.String({ description: 'One sentence that says what to do.' }),
    details: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  },
  { description: 'What went wrong.' },
);
export type ErrorBody = Static<typeof ErrorSchema>;

/** One schema of the body for several statuses. */
export function errorsOf<S extends number, T extends TSchema>(schema: T, ...statuses: S[]): Record<S, T> {
  return Object.fromEntries(statuses.map((status) => [status, schema])) as Record<S, T>;
}

/** What every route of surface 2 that asks for a role may answer. */
const ALWAYS = [400, 401, 403, 429, 500, 503] as const;

/** Surface 2's refusals: those that every route has, and the route's own. */
export function refusals<S extends number>(...statuses: S[]) {
  return { ...errorsOf(ErrorSchema, ...ALWAYS), ...errorsOf(ErrorSchema, ...statuses) };
}

/** A picture's bytes, as `intake/` reads them; no JSON type describes them. */
export const BytesSchema = Type.Unsafe<Uint8Array>({ contentMediaType: 'image/*' });
