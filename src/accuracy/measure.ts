/** Measures one pack on one set of pictures. */
import type { Config } from '../settings/config.js';
import { KaomonError } from '../platform/errors.js';
import type { Curve, ReadyPack, Thresholds } from '../models/types.js';
import { createDecision } from '../identity/decision.js';
import { falsePositiveRate } from '../identity/odds.js';
import { createRandom, drawSome } from './bootstrap.js';
import type { ConditionFigures } from './conditions.js';
import { curveOf, proposeThresholds } from './curve.js';
import { type Identification, type IdentificationPoint, identificationOf } from './error-rates.js';
import { collectFaces, compareAll, type Faces, type Visitor } from './faces.js';
import {
  facesIn,
  fillingRows,
  gallerySizes,
  type GallerySize,
  gatherSearches,
  REFERENCES,
} from './identification.js';
import {
  type SampleFace,
  analyseAll,
  type AnalysisSettings,
  readOwn,
  type AnalysisTask,
} from './analyses.js';
import type { Sample } from './samples.js';
import { findSuspects } from './suspects.js';
import { gatherPairs, verify, type Verification } from './verification.js';
import { searchDegraded } from './degraded.js';

export interface MeasureSettings {
  pack: ReadyPack;
  config: Pick<Config, 'IDENTICAL_DISTANCE' | 'FALSE_NAMES'>;
  analysis: Omit<AnalysisSettings, 'onAnalysed'>;
  /** What the curve was measured on, as it will say. */
  source: string;
  /** Whether to search with degraded pictures, too. */
  conditions: boolean;
  /** Called as the work advances. */
  onProgress?: (what: string, done: number, of: number) => void;
}

/** The error rates at the server's own threshold for a gallery. */
export interface InForce extends Omit<IdentificationPoint, 'level'> {
  size: GallerySize;
  /** The FPIR that FALSE_NAMES asks for; undefined for a fixed threshold. */
  aim: number | undefined;
  /** The FPIR that follows from the measured FMR with one comparison per enrolled person, or per enrolled face. */
  predicted: { byPeople: number; byFaces: number };
}

export interface PackReport {
  pack: string;
  title: string;
  /** How many views of a face are averaged at enrolment; 1: a single one. */
  views: number;
  /** What the server compares a probe with. */
  reference: Identification['reference'];
  pictures: number;
  people: number;
  strangers: number;
  /** Pictures in which no face was found, with the reason where they cannot be read. */
  faceless: { file: string; problem?: string }[];
  /** How many pictures show more than one face. */
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
 * Analyses every picture and compares all with all.
 * @throws KaomonError SETUP when there is nothing to compare
 */
export async function measurePack(
  samples: readonly Sample[],
  settings: MeasureSettings,
): Promise<PackReport> {
  const { pack, config, onProgress } = settings;
  const ordered = inOrder(samples);
  const { enrolled, probes } = await analyseTwice(ordered, settings);
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
      return identificationOf(answer, reference, faces.units, thresholds);
    }),
  );
  const enrolledAtOnce = new Set(faces.label.subarray(0, faces.people)).size;
  return {
    pack: pack.id,
    title: pack.title,
    reference: referenceOf(pack),
    views: Math.max(1, pack.embedder.views?.length ?? 1),
    pictures: ordered.length,
    people: new Set(ordered.filter(({ isPerson }) => isPerson).map(({ label }) => label)).size,
    strangers: new Set(ordered.filter(({ isPerson }) => !isPerson).map(({ unit }) => unit)).size,
    faceless: ordered.flatMap(({ file }, i) => {
      const { embedding, problem } = probes[i];
      return embedding ? [] : [{ file, ...(problem !== undefined && { problem }) }];
    }),
    several: probes.filter((probe) => probe.faces > 1).length,
    suspects: {
      alike: suspects.alike.map(({ row, probe, distance }) => ({
        files: [fileOf(row), fileOf(probe)],
        distance,
      })),
      apart: suspects.apart.map(({ row, distance }) => ({
        file: fileOf(row),
        distance,
        faces: probes[rowOf[row]].faces,
      })),
    },
    verification: verify(faces, found, [decisionOf(0).pair()]),
    identification,
    inForce: inForce(identification, config, found.impostors.rateBelow.bind(found.impostors), pack),
    conditions: settings.conditions
      ? await searchDegraded(
          {
            faces,
            threshold: thresholdOf(enrolledAtOnce),
            sampleOf: (row) => ordered[rowOf[row]],
            eyesOf: (row) => probes[rowOf[row]].eyes,
          },
          settings.analysis,
          (done, of) => onProgress?.('degraded pictures', done, of),
        )
      : [],
    curve: curveOf(found.impostors, settings.source),
    proposal: proposeThresholds(found.impostors),
  };
}

/** People first, then strangers with a single picture in random order, then the other strangers. */
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

/** Analyses the pictures as probes, and also as they would be enrolled if the pack enrols several views. */
async function analyseTwice(
  samples: readonly Sample[],
  { pack, analysis, onProgress }: MeasureSettings,
): Promise<{ enrolled: SampleFace[]; probes: SampleFace[] }> {
  const tasks = (options: AnalysisTask['options']) =>
    samples.map(({ file, sha256 }): AnalysisTask => ({ read: () => readOwn(file), key: sha256, options }));
  const report = (what: string) => (done: number, of: number) => onProgress?.(what, done, of);
  const probes = await analyseAll(tasks({}), { ...analysis, onAnalysed: report('pictures, as probes') });
  if ((pack.embedder.views?.length ?? 1) < 2) return { enrolled: probes, probes };
  const onAnalysed = report('pictures, as enrolled');
  return { enrolled: await analyseAll(tasks({ views: true }), { ...analysis, onAnalysed }), probes };
}

/** For each row of people, the distance to the nearest other picture of the same person. */
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
          ...point,
          size,
          aim: curve && IDENTICAL_DISTANCE === undefined ? FALSE_NAMES : undefined,
          predicted: {
            byPeople: falsePositiveRate(fmr, size.people + size.filling),
            byFaces: falsePositiveRate(fmr, facesIn(size)),
          },
        };
      }),
  );
}

/** The nearest face and, for a pack with templates, the template. */
function referenceOf({ templates }: ReadyPack): Identification['reference'] {
  return templates ? 'both' : 'nearest';
}
