/** The files of a snapshot, format version 1; docs/gallery.md has the picture. All numbers are little-endian. */
import { endianness } from 'node:os';
import { crc32 } from 'node:zlib';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';

export const VERSION = 1;

/** Rows x length float32, and nothing else. */
export const VECTORS = 'vectors.f32';
export const PEOPLE = 'people.bin';
/** Only from a size on. */
export const LISTS = 'lists.ivf';
/** Written last: what the others are. */
export const MANIFEST = 'snapshot.json';

/** The parts of `people.bin`, in their order; each begins at a multiple of {@link ALIGNMENT}. */
export const SECTIONS = ['firstRow', 'owner', 'textAt', 'text', 'keyAt', 'keys', 'stamp'] as const;
export type Section = (typeof SECTIONS)[number];

/** So that a section can be read as an array of any numbers. */
export const ALIGNMENT = 8;

/** Between the fields of a person's text and of the keys. */
export const SEPARATOR = '\0';
/** Ends a person's keys. */
export const END = '\n';

/** Typed arrays have the byte order of the machine: the files can be mapped as they are where that is theirs. */
export const fitsThisMachine = endianness() === 'LE';

const Count = Type.Integer({ minimum: 0 });
const PlaceSchema = Type.Object({ at: Count, bytes: Count });
const FileSchema = Type.Object({ bytes: Count, crc32: Count });

const ManifestSchema = Type.Object({
  version: Type.Literal(VERSION),
  pack: Type.String(),
  /** Numbers in a vector. */
  length: Type.Integer({ minimum: 1 }),
  /** Whether people with several faces have a template's row. */
  templates: Type.Boolean(),
  /** Which log the position is of. */
  log: Type.Union([Type.Literal('file'), Type.Literal('redis')]),
  /** Every change before this place in the log is in the snapshot; later ones may be. */
  position: Type.String(),
  /** ISO 8601. */
  madeAt: Type.String(),
  people: Count,
  faces: Count,
  rows: Count,
  groups: Type.Array(
    Type.Object({
      groupid: Type.String(),
      people: Count,
      faces: Count,
      firstPerson: Count,
      firstRow: Count,
    }),
  ),
  storedGroups: Type.Array(Type.Object({ groupid: Type.String(), groupname: Type.String() })),
  otherPacks: Type.Record(Type.String(), Count),
  sections: Type.Object(Object.fromEntries(SECTIONS.map((name) => [name, PlaceSchema])) as SectionPlaces),
  files: Type.Object({
    [VECTORS]: FileSchema,
    [PEOPLE]: FileSchema,
    [LISTS]: Type.Optional(FileSchema),
  }),
  lists: Type.Optional(Type.Object({ lists: Count, nprobe: Count, recall: Type.Number() })),
});
type SectionPlaces = Record<Section, typeof PlaceSchema>;

/** What `snapshot.json` says. */
export type Manifest = Static<typeof ManifestSchema>;
/** Size and checksum of a file. */
export type FileNote = Static<typeof FileSchema>;

/** Why a snapshot cannot be used; never the fault of the system. */
export class DamagedSnapshot extends Error {}

const EnvelopeSchema = Type.Object({ crc32: Count, snapshot: Type.Unknown() });

/** With a checksum of its own around it. */
export function encodeManifest(manifest: Manifest): string {
  const body = JSON.stringify(manifest);
  return `{"crc32":${crc32(body)},"snapshot":${body}}\n`;
}

/**
 * @returns undefined when another version of this program wrote it
 * @throws DamagedSnapshot
 */
export function decodeManifest(text: string): Manifest | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new DamagedSnapshot(`${MANIFEST} is not JSON`);
  }
  if (!Value.Check(EnvelopeSchema, value)) throw new DamagedSnapshot(`${MANIFEST} has no checksum`);
  const { crc32: sum, snapshot } = value;
  if (crc32(JSON.stringify(snapshot)) !== sum)
    throw new DamagedSnapshot(`the checksum of ${MANIFEST} differs`);
  if (Value.Check(ManifestSchema, snapshot)) return snapshot;
  const isOurs = Value.Check(Type.Object({ version: Type.Literal(VERSION) }), snapshot);
  if (isOurs) throw new DamagedSnapshot(`${MANIFEST} lacks a field`);
  return undefined;
}
