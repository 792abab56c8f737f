/** One pack measured on one set of pictures. */
import type { Config } from '../settings/config.js';
import { KaomonError } from '../platform/errors.js';
import type { Curve, ReadyPack, Thresholds } from '../models/types.js';
import { createDecision } from '../identity/decision.js';
import { falsePositiveRate } from '../identity/odds.js';
import { createRandom, drawSome } from './bootstrap.js';
import type { ConditionFigures } from './conditions.js';
import { curveOf, proposeThresholds } from './curve.js';
import { type Identification, type IdentificationPoint, identify } from './error-rates.js';
import { collectFaces, compareAll, type Faces, type Visitor } from './faces.js';
import {
  facesIn,
  fillingRows,
  gallerySizes,
  type GallerySize,
  gatherSearches,
  REFERENCES,
} from './identification.js';
import { type Look, lookAtAll, type LookSettings, readOwn, type Task } from './looks.js';
import type { Sample } from './samples.js';
import { findSuspects } from './suspects.js';
import { gatherPairs, verify, type Verification } from './verification.js';
import { searchWorsened } from './worsened.js';

export interface MeasureSettings {
  pack: ReadyPack;
  config: Pick<Config, 'IDENTICAL_DISTANCE' | 'FALSE_NAMES'>;
  looks: Omit<LookSettings, 'onLook'>;
  /** What the curve is said to come from. */
  source: string;
  /** Search with pictures from farther away and out of focus, too. */
  conditions: boolean;
  /** Told now and then what is done. */
  onProgress?: (what: string, done: number, of: number) => void;
}

/** What one threshold of the product is worth in a gallery. */
export interface InForce extends Omit<IdentificationPoint, 'level'> {
  size: GallerySize;
  /** What FALSE_NAMES aims at; undefined for a fixed threshold. */
  aim: number | undefined;
  /** From the FMR that was measured here at this threshold, and as many comparisons as people, or as faces, are enrolled. */
  predicted: { byPeople: number; byFaces: number };
}

export interface PackReport {
  pack: string;
  title: string;
  /** Views averaged at enrolment; 1: none. */
  views: number;
  /** What the product compares a probe with. */
  reference: Identification['reference'];
  pictures: number;
  people: number;
  strangers: number;
  /** Pictures in which no face was found, and why where they cannot be read. */
  faceless: { file: string; problem?: string }[];
  /** Pictures with more faces than one. */
  several: number;
  suspects: {
    alike: { files: [string, string]; distance: number }[];
    apart: { file: string; distance: number; faces: number }[];
  };
  verification: Verification;
  identification: Identification[];
  inForce: InForce[];
  conditions: ConditionFigures[];
  curve: Curve | undefined;
  /** Fixed thresholds for a pack without a curve. */
  proposal: Thresholds | undefined;
}

const SEED = 99;

/**
 * Looks at every picture and compares all with all.
 * @throws KaomonError SETUP when there is nothing to compare
 */
export async function measurePack(
  samples: readonly Sample[],
  settings: MeasureSettings,
): Promise<PackReport> {
  const { pack, config, onProgress } = settings;
  const ordered = inOrder(samples);
  const { enrolled, probes } = await lookTwice(ordered, settings);
  const { faces, rowOf } = collectFaces(
    ordered.map(({ label, unit, isPerson }, i) => ({
      ...{ label, unit, isPerson, enrolled: enrolled[i].embedding, probe: probes[i].embedding },
    })),
  );
  if (faces.count < 2) {
    throw new KaomonError('SETUP', 'Fewer than two pictures with a face: there is nothing to compare.');
  }
  const fileOf = (row: number) => ordered[rowOf[row]].file;

  const pairs = gatherPairs(faces);
  const searches = gallerySizes(faces).map((size) => gatherSearches(faces, size));
  const own = nearestOwn(faces);
  const visitors = [pairs.visit, own.visit, ...searches.map(({ visit }) => visit)];
  const enrollable = faces.people + fillingRows(faces);
  compareAll(faces, enrollable, visitors, (done) => onProgress?.('comparing', done, faces.count));
  const found = pairs.finish();
  const suspects = findSuspects(faces, found, own.nearest);

  const decisionOf = (count: number) => createDecision({ pack, config, gallery: { searched: () => count } });
  const thresholdOf = (count: number) => decisionOf(count).threshold();
  const answers = searches.map((search) => search.finish());
  const identification = answers.flatMap((answer) =>
    REFERENCES.map((reference) => {
      const { size } = answer;
      const thresholds = reference === referenceOf(pack) ? [thresholdOf(facesIn(size))] : [];
      return identify(answer, reference, faces.units, thresholds);
    }),
  );
  const enrolledAtOnce = new Set(faces.label.subarray(0, faces.people)).size;
  return {
    ...{
      pack: pack.id,
      title: pack.title,
      reference: referenceOf(pack),
      views: Math.max(1, pack.embedder.views?.length ?? 1),
    },
    pictures: ordered.length,
    people: new Set(ordered.filter(({ isPerson }) => isPerson).map(({ label }) => label)).size,
    strangers: new Set(ordered.filter(({ isPerson }) => !isPerson).map(({ unit }) => unit)).size,
    faceless: ordered.flatMap(({ file }, i) => {
      const { embedding, problem } = probes[i];
      return embedding ? [] : [{ file, ...(problem !== undefined && { problem }) }];
    }),
    several: probes.filter((look) => look.faces > 1).length,
    suspects: {
      alike: suspects.alike.map(({ row, probe, distance }) => ({
        files: [fileOf(row), fileOf(probe)],
        distance,
      })),
      apart: suspects.apart.map(({ row, distance }) => ({
        ...{ file: fileOf(row), distance, faces: probes[rowOf[row]].faces },
      })),
    },
    verification: verify(faces, found, [decisionOf(0).pair()]),
    identification,
    inForce: inForce(identification, config, found.impostors.rateBelow.bind(found.impostors), pack),
    conditions: settings.conditions
      ? await searchWorsened(
          {
            faces,
            threshold: thresholdOf(enrolledAtOnce),
            sampleOf: (row) => ordered[rowOf[row]],
            eyesOf: (row) => probes[rowOf[row]].eyes,
          },
          settings.looks,
          (done, of) => onProgress?.('pictures made worse', done, of),
        )
      : [],
    curve: curveOf(found.impostors, settings.source),
    proposal: proposeThresholds(found.impostors),
  };
}

/** People first; then strangers of whom there is one picture, in no order; then the others. */
function inOrder(samples: readonly Sample[]): Sample[] {
  const pictures = new Map<string, number>();
  for (const { label } of samples) pictures.set(label, (pictures.get(label) ?? 0) + 1);
  const strangers = samples.filter(({ isPerson }) => !isPerson);
  const isAlone = ({ label }: Sample) => pictures.get(label) === 1;
  const alone = strangers.filter(isAlone);
  return [
    ...samples.filter(({ isPerson }) => isPerson),
    ...drawSome(alone, alone.length, createRandom(SEED)),
    ...strangers.filter((one) => !isAlone(one)),
  ];
}

/** As probes, and as they would be enrolled where that is another look. */
async function lookTwice(
  samples: readonly Sample[],
  { pack, looks, onProgress }: MeasureSettings,
): Promise<{ enrolled: Look[]; probes: Look[] }> {
  const tasks = (options: Task['options']) =>
    samples.map(({ file, sha256 }): Task => ({ read: () => readOwn(file), key: sha256, options }));
  const told = (what: string) => (done: number, of: number) => onProgress?.(what, done, of);
  const probes = await lookAtAll(tasks({}), { ...looks, onLook: told('pictures, one look') });
  if ((pack.embedder.views?.length ?? 1) < 2) return { enrolled: probes, probes };
  const onLook = told('pictures, as they are enrolled');
  return { enrolled: await lookAtAll(tasks({ views: true }), { ...looks, onLook }), probes };
}

/** Of each row of people the distance to the nearest other picture of the person. */
function nearestOwn({ count, people, label }: Faces): { nearest: Float32Array; visit: Visitor } {
  const nearest = new Float32Array(count).fill(Infinity);
  return {
    nearest,
    visit(probe, distances) {
      if (probe >= people) return;
      for (let row = 0; row < people; row++) {
        if (row !== probe && label[row] === label[probe])
          nearest[probe] = Math.min(nearest[probe], distances[row]);
      }
    },
  };
}

function inForce(
  identification: readonly Identification[],
  { IDENTICAL_DISTANCE, FALSE_NAMES }: MeasureSettings['config'],
  rateBelow: (distance: number) => number,
  { curve }: ReadyPack,
): InForce[] {
  return identification.flatMap(({ size, points }) =>
    points
      .filter(({ level }) => level === undefined)
      .map((point) => {
        const fmr = rateBelow(point.threshold);
        return {
          ...{ ...point, size, aim: curve && IDENTICAL_DISTANCE === undefined ? FALSE_NAMES : undefined },
          predicted: {
            byPeople: falsePositiveRate(fmr, size.people + size.filling),
            byFaces: falsePositiveRate(fmr, facesIn(size)),
          },
        };
      }),
  );
}

/** The nearest face and, in a pack with templates, the mean of the faces. */
function referenceOf({ templates }: ReadyPack): Identification['reference'] {
  return templates ? 'both' : 'nearest';
}
