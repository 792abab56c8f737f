import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { KaomonError } from '../../platform/errors.js';
import { ConsentSchema } from '../consent.js';

/**
 * What an archive holds; docs/archive.md describes it for others. Version 2 is what is written: one matrix, one list of
 * people. With corrections it is version 3, so that a reader that knows of none refuses it: it would bring back the names
 * that somebody said are wrong. Version 1, which is still read, has an entry for every person and every face (read-v1.ts).
 */
export const FORMAT = 'kaomon-gallery';
export const MEMBERS = {
  manifest: 'manifest.json',
  groups: 'groups.jsonl',
  people: 'people.jsonl',
  vectors: 'vectors.npy',
  /** Version 3 alone. */
  corrections: 'corrections.jsonl',
} as const;
/** The most faces in one line; a person of more takes several lines. */
export const FACES_A_LINE = 1000;
/** The most bytes of a line: a thousand faces and the largest metadata fit. */
export const LINE_BYTES = 2_000_000;
export const MAX_GROUPS = 100_000;
/** The most bytes of a picture: a crop of 112 pixels takes 30,000. */
export const PICTURE_BYTES = 2_000_000;

/** The most bytes of a correction's line: its vector and its picture fit as base64. */
export const CORRECTION_BYTES = 640_000;
/** The most bytes of a correction's picture. */
export const CORRECTION_PICTURE_BYTES = 200_000;

/** The member that holds the picture of a row's face. */
export const pictureName = (row: number): string => `pictures/${row}.png`;

const id = Type.String({ minLength: 1, maxLength: 64 });
const name = Type.String({ maxLength: 1000 });
const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const sha256 = Type.String({ pattern: /^[0-9a-f]{64}$/.source });
const closed = { additionalProperties: false };
const member = Type.Object({ bytes: count, sha256 }, closed);

export const ManifestSchema = Type.Object({
  format: Type.Literal(FORMAT),
  version: Type.Union([Type.Literal(2), Type.Literal(3)]),
  pack: Type.String({ minLength: 1, maxLength: 64 }),
  /** Numbers in one vector. */
  length: Type.Integer({ minimum: 1, maximum: 65_536 }),
  createdAt: Type.String({ maxLength: 40 }),
  counts: Type.Object(
    {
      ...{ groups: count, people: count, faces: count, pictures: count, rows: count },
      corrections: Type.Optional(count),
    },
    closed,
  ),
  members: Type.Object(
    {
      ...{ [MEMBERS.vectors]: member, [MEMBERS.people]: member, [MEMBERS.groups]: member },
      [MEMBERS.corrections]: Type.Optional(member),
    },
    closed,
  ),
});
export type Manifest = Static<typeof ManifestSchema>;

export const GroupSchema = Type.Object({ groupid: id, groupname: name });
export type ArchivedGroup = Static<typeof GroupSchema>;
/** Version 1's `groups.json`. */
export const GroupsSchema = Type.Array(GroupSchema, { maxItems: MAX_GROUPS });

const profile = {
  groupid: id,
  userid: id,
  username: name,
  metadata: Type.Record(
    Type.String({ maxLength: 64 }),
    Type.Union([Type.String({ maxLength: 1000 }), Type.Number(), Type.Boolean(), Type.Null()]),
    { maxProperties: 50 },
  ),
  consent: Type.Optional(ConsentSchema),
};
export const ProfileSchema = Type.Object(profile);

const FaceSchema = Type.Object({ id: Type.String({ minLength: 1, maxLength: 256 }), row: count });
export type ArchivedFace = Static<typeof FaceSchema>;
export const PersonSchema = Type.Object({
  ...profile,
  faces: Type.Array(FaceSchema, { maxItems: FACES_A_LINE }),
});
/** A line of `people.jsonl`. */
export type ArchivedPerson = Static<typeof PersonSchema>;

const base64 = (maxLength: number) => Type.String({ maxLength, pattern: /^[0-9A-Za-z+/]*={0,2}$/.source });
export const CorrectionSchema = Type.Object({
  groupid: id,
  userid: id,
  id: FaceSchema.properties.id,
  /** The embedding: little-endian float32. */
  vector: base64(350_000),
  /** PNG. */
  picture: Type.Optional(base64(Math.ceil(CORRECTION_PICTURE_BYTES / 3) * 4)),
});
/** A line of `corrections.jsonl`. */
export type ArchivedCorrection = Static<typeof CorrectionSchema>;

/** @throws KaomonError ARCHIVE_INVALID */
export function refuseArchive(why: string, cause?: unknown): never {
  throw new KaomonError('ARCHIVE_INVALID', `The archive cannot be used: ${why}. Nothing was imported.`, {
    cause,
  });
}

/** For a longer text the message does not say what is wrong with it, bytes. */
const EXPLAINED = 200_000;

type Schema =
  | typeof ManifestSchema
  | typeof GroupSchema
  | typeof GroupsSchema
  | typeof PersonSchema
  | typeof CorrectionSchema
  | typeof ProfileSchema;

/**
 * Parses and checks a JSON text.
 * @param what it is, for the message
 * @throws KaomonError ARCHIVE_INVALID
 */
export function readJson<T extends Schema>(schema: T, bytes: Buffer, what: string): Static<T> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    refuseArchive(`${what} is not JSON`, cause);
  }
  if (Value.Check(schema, value)) return value;
  // Errors are collected for every item of a list, however long.
  const wrong = bytes.length <= EXPLAINED ? Value.Errors(schema, value).at(0) : undefined;
  refuseArchive(`${what} is not valid${wrong ? ` at "${wrong.instancePath}"` : ''}`);
}

/** @throws KaomonError OTHER_PACK */
export function refuseOtherPack(
  archive: { pack: string; length: number },
  pack: { id: string; length: number },
): void {
  if (archive.pack === pack.id && archive.length === pack.length) return;
  throw new KaomonError(
    'OTHER_PACK',
    `The archive's vectors were made by the pack "${archive.pack}", this server's by "${pack.id}": they cannot be ` +
      `compared. Start with MODEL_PACK=${archive.pack}, or enrol the pictures anew.`,
    { details: { archive: archive.pack, server: pack.id } },
  );
}
