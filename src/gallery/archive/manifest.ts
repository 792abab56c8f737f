import { createHash } from 'node:crypto';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { KaomonError } from '../../platform/errors.js';
import { splitFaceId } from '../ids.js';

/**
 * A gallery as one zip: `groups.json`, for each person `people/<faceid>/person.json` and the vectors as
 * `people/<faceid>/<face>.npy`, kept thumbnails beside them as `.png`, and last `manifest.json`, which says what made
 * the vectors and holds a SHA-256 of every other entry.
 */
export const MANIFEST = 'manifest.json';
export const GROUPS = 'groups.json';
/** The longest entry of which it is said what is wrong with it, bytes. */
const EXPLAINED = 200_000;
export const FORMAT = 'kaomon-gallery';
export const FORMAT_VERSION = 1;

const id = Type.String({ minLength: 1, maxLength: 64 });
const name = Type.String({ maxLength: 1000 });

export const ManifestSchema = Type.Object({
  format: Type.Literal(FORMAT),
  version: Type.Literal(FORMAT_VERSION),
  pack: Type.String({ minLength: 1, maxLength: 64 }),
  /** Numbers in one vector. */
  length: Type.Integer({ minimum: 1, maximum: 65_536 }),
  createdAt: Type.String({ maxLength: 40 }),
  /** Entry's name -> SHA-256, hexadecimal. */
  entries: Type.Record(Type.String(), Type.String({ pattern: /^[0-9a-f]{64}$/.source })),
});
export type Manifest = Static<typeof ManifestSchema>;

export const GroupsFileSchema = Type.Array(Type.Object({ groupid: id, groupname: name }), {
  maxItems: 100_000,
});

export const PersonFileSchema = Type.Object({
  groupid: id,
  userid: id,
  username: name,
  metadata: Type.Record(
    Type.String({ maxLength: 64 }),
    Type.Union([Type.String({ maxLength: 1000 }), Type.Number(), Type.Boolean(), Type.Null()]),
    { maxProperties: 50 },
  ),
});

/** What an entry is, by its name alone; undefined: nothing that an export of ours holds. */
export type EntryKind =
  | { kind: 'manifest' }
  | { kind: 'groups' }
  | { kind: 'person'; faceid: string }
  | { kind: 'vector'; faceid: string; face: string }
  | { kind: 'picture'; faceid: string; face: string };

/** @param entry an entry's name: anything */
export function kindOf(entry: string): EntryKind | undefined {
  if (entry === MANIFEST) return { kind: 'manifest' };
  if (entry === GROUPS) return { kind: 'groups' };
  const [, faceid = '', file = '', ending = ''] =
    /^people\/([^/]+)\/([0-9A-Za-z_.-]+)\.(json|npy|png)$/.exec(entry) ?? [];
  if (!splitFaceId(faceid)) return undefined;
  if (ending === 'json') return file === 'person' ? { kind: 'person', faceid } : undefined;
  return { kind: ending === 'npy' ? 'vector' : 'picture', faceid, face: file };
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** @throws KaomonError ARCHIVE_INVALID */
export function refuseArchive(why: string, cause?: unknown): never {
  throw new KaomonError('ARCHIVE_INVALID', `The archive cannot be used: ${why}. Nothing of it was taken.`, {
    cause,
  });
}

/** A JSON entry, checked. @throws KaomonError ARCHIVE_INVALID */
export function readJson<T extends typeof ManifestSchema | typeof GroupsFileSchema | typeof PersonFileSchema>(
  schema: T,
  bytes: Buffer,
  entry: string,
): Static<T> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    refuseArchive(`${entry} is not JSON`, cause);
  }
  if (Value.Check(schema, value)) return value;
  // Errors are made of every entry of a list, however long: where it is long, that something is wrong must do.
  const wrong = bytes.length <= EXPLAINED ? Value.Errors(schema, value).at(0) : undefined;
  refuseArchive(`${entry} is not as it must be${wrong ? ` at "${wrong.instancePath}"` : ''}`);
}
