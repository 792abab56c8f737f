import { createHash } from 'node:crypto';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { KaomonError } from '../../platform/errors.js';
import { splitFaceId } from '../ids.js';

/**
 * A gallery as one zip: `groups.json`, for each person `people/<faceid>/person.json` and the vectors as
 * `people/<faceid>/<face>.npy`, stored crops beside them as `.png`, and last `manifest.json`, which names the pack of
 * the vectors and holds a SHA-256 of every other entry.
 */
export const MANIFEST = 'manifest.json';
export const GROUPS = 'groups.json';
/** For a longer entry the message does not say what is wrong with it, bytes. */
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

/** What an entry is, judged by its name. */
export type EntryKind =
  | { kind: 'manifest' }
  | { kind: 'groups' }
  | { kind: 'person'; faceid: string }
  | { kind: 'vector'; faceid: string; face: string }
  | { kind: 'picture'; faceid: string; face: string };

/** @param entry its name, not trusted @returns undefined when no export has such an entry */
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
  throw new KaomonError('ARCHIVE_INVALID', `The archive cannot be used: ${why}. Nothing was imported.`, {
    cause,
  });
}

/** Parses and checks a JSON entry. @throws KaomonError ARCHIVE_INVALID */
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
  // Errors are collected for every item of a list, however long.
  const wrong = bytes.length <= EXPLAINED ? Value.Errors(schema, value).at(0) : undefined;
  refuseArchive(`${entry} is not valid${wrong ? ` at "${wrong.instancePath}"` : ''}`);
}
