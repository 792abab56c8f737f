import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import { KaomonError } from '../../platform/errors.js';
import { sha256OfFile, statFile } from '../files.js';

const distance = (description: string) => Type.Number({ minimum: 0, maximum: 4, description });
const tensorName = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 200, description }));

const shift = (where: string) =>
  Type.Number({ minimum: -64, maximum: 64, description: `Pixels of the crop ${where}.` });

/** `models/<name>/manifest.json` of a user's own pack; docs/models.md explains it with an example. */
export const OwnPackSchema = Type.Object(
  {
    format: Type.Literal('kaomon-pack'),
    title: Type.String({ minLength: 1, maxLength: 200 }),
    licence: Type.String({ minLength: 1, maxLength: 500 }),
    detector: Type.Union([Type.Literal('ssd'), Type.Literal('mtcnn')]),
    embedder: Type.Object(
      {
        file: Type.String({
          pattern: /^[A-Za-z0-9_][A-Za-z0-9_.-]*\.onnx$/.source,
          maxLength: 200,
          description: 'Name of the network beside the manifest, without a folder.',
        }),
        sha256: Type.Optional(Type.String({ pattern: /^[0-9a-f]{64}$/.source })),
        size: Type.Integer({ minimum: 16, maximum: 1024, description: 'Side of the square input, pixels.' }),
        length: Type.Integer({ minimum: 2, maximum: 8192, description: 'Numbers in one embedding.' }),
        colour: Type.Union([Type.Literal('rgb'), Type.Literal('bgr')], { default: 'rgb' }),
        mean: Type.Number({ default: 0, minimum: -1000, maximum: 1000 }),
        scale: Type.Number({ default: 1, minimum: 1e-6, maximum: 1000 }),
        alignment: Type.Union([
          Type.Literal('box'),
          Type.Literal('faceapi'),
          Type.Literal('five-points'),
          Type.Literal('chip'),
        ]),
        padding: Type.Optional(
          Type.Number({
            minimum: 0,
            maximum: 2,
            description: 'With chip: parts of the face’s side around it.',
          }),
        ),
        views: Type.Optional(
          Type.Array(
            Type.Object(
              {
                mirrored: Type.Optional(Type.Boolean()),
                scale: Type.Optional(Type.Number({ minimum: 0.5, maximum: 2 })),
                shift: Type.Optional(Type.Tuple([shift('to the right'), shift('down')])),
              },
              { additionalProperties: false },
            ),
            { minItems: 1, maxItems: 32, description: 'Looks whose mean is enrolled.' },
          ),
        ),
        input: tensorName('Name of the network’s input; left out, its only one.'),
        output: tensorName('Name of the network’s output; left out, its first.'),
      },
      { additionalProperties: false },
    ),
    thresholds: Type.Object(
      { identical: distance('A face is named below it.'), sure: distance('Below it the page says "sure".') },
      { additionalProperties: false },
    ),
    curve: Type.Optional(
      Type.Object(
        {
          pairs: Type.Integer({ minimum: 1, maximum: 1e15, description: 'Impostor pairs behind it.' }),
          source: Type.String({
            minLength: 1,
            maxLength: 500,
            description: 'What it was measured on, and how.',
          }),
          points: Type.Array(
            Type.Tuple([
              Type.Number({ exclusiveMinimum: 0, maximum: 4, description: 'Squared L2 distance.' }),
              Type.Number({ exclusiveMinimum: 0, maximum: 1, description: 'FMR: of two people.' }),
            ]),
            { minItems: 2, maxItems: 1000 },
          ),
        },
        { additionalProperties: false },
      ),
    ),
    templates: Type.Optional(
      Type.Boolean({ description: 'A person with several faces is found at their mean, too.' }),
    ),
  },
  { additionalProperties: false },
);

/** A user's own pack as its manifest describes it, checked. */
export type OwnPack = Static<typeof OwnPackSchema> & {
  readonly id: string;
  /** Absolute path of the embedder's network, which is there. */
  readonly network: string;
};

const MANIFEST = 'manifest.json';

/**
 * Reads a user's own pack.
 * @param id name of its folder below `modelsDir`; checked by the caller not to hold a separator
 * @returns undefined when there is no such folder, or it holds a component of ours
 * @throws KaomonError SETUP naming the field of the manifest, or the file, that is wrong
 */
export async function readOwnPack(id: string, modelsDir: string): Promise<OwnPack | undefined> {
  const folder = path.join(modelsDir, id);
  const manifestFile = path.join(folder, MANIFEST);
  const text = await readFile(manifestFile, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (error) {
    throw new KaomonError('SETUP', `${manifestFile} is not JSON: ${(error as Error).message}.`);
  }
  if (isComponentOfOurs(given)) return undefined;
  const manifest = Value.Default(OwnPackSchema, given);
  const [wrong] = Value.Errors(OwnPackSchema, manifest);
  if (!Value.Check(OwnPackSchema, manifest)) {
    const field = wrong.instancePath.slice(1).replaceAll('/', '.') || 'the manifest';
    throw new KaomonError(
      'SETUP',
      `${manifestFile}: ${field} ${wrong.message} (docs/models.md shows an example).`,
    );
  }
  if (manifest.thresholds.sure > manifest.thresholds.identical) {
    throw new KaomonError(
      'SETUP',
      `${manifestFile}: thresholds.sure must not be above thresholds.identical.`,
    );
  }
  refuseMovedBoxes(manifest.embedder, manifestFile);
  refuseFallingCurve(manifest.curve?.points ?? [], manifestFile);
  const network = path.join(folder, manifest.embedder.file);
  if ((await statFile(network)) === undefined) {
    throw new KaomonError(
      'SETUP',
      `${manifestFile} names ${manifest.embedder.file}, which is not beside it.`,
    );
  }
  return { ...manifest, id, network };
}

/** Boxes and face-api's squares are cut in whole pixels, as other programs do: they can only be mirrored. */
function refuseMovedBoxes({ alignment, views = [] }: OwnPack['embedder'], manifestFile: string): void {
  const isMoved = views.some(({ scale = 1, shift = [0, 0] }) => scale !== 1 || shift.some((by) => by !== 0));
  if (alignment === 'five-points' || alignment === 'chip' || !isMoved) return;
  throw new KaomonError(
    'SETUP',
    `${manifestFile}: embedder.views may only be mirrored with the alignment ${alignment}; scale and shift need five-points or chip.`,
  );
}

/** Each distance has one rate and each rate one distance, so both must rise from point to point. */
function refuseFallingCurve(points: readonly [number, number][], manifestFile: string): void {
  const at = points.findIndex(
    ([distance, rate], i) => i > 0 && (distance <= points[i - 1][0] || rate <= points[i - 1][1]),
  );
  if (at === -1) return;
  throw new KaomonError(
    'SETUP',
    `${manifestFile}: curve.points must ascend in distance and in rate; point ${at + 1} does not.`,
  );
}

function isComponentOfOurs(manifest: unknown): boolean {
  return (
    typeof manifest === 'object' &&
    manifest !== null &&
    'format' in manifest &&
    manifest.format === 'kaomon-component'
  );
}

/** @throws KaomonError SETUP when the network is not the one that the manifest's checksum names */
export async function checkOwnPack(pack: OwnPack): Promise<void> {
  const { sha256, file } = pack.embedder;
  if (sha256 === undefined) return;
  const found = await sha256OfFile(pack.network);
  if (found !== sha256) {
    throw new KaomonError(
      'SETUP',
      `${file} of the pack ${pack.id} is not the file of its manifest: its SHA-256 is ${found}.`,
    );
  }
}

/** Names of the folders below `modelsDir` that hold a manifest and are not hidden, in order. */
export async function ownPackCandidates(modelsDir: string): Promise<string[]> {
  const entries = await readdir(modelsDir, { withFileTypes: true }).catch(() => []);
  const folders = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'));
  const found = await Promise.all(
    folders.map(async ({ name }) => ((await statFile(path.join(modelsDir, name, MANIFEST))) ? [name] : [])),
  );
  return found.flat().sort();
}
