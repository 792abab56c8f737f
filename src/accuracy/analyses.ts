/** Analyses pictures as the server does: once as probes, and once as they would be enrolled. */
import { readFile } from 'node:fs/promises';
import pMap from 'p-map';
import { KaomonError } from '../platform/errors.js';
import type { AnalyzeOptions, VisionPool } from '../vision/types.js';
import type { AnalysisCache, PictureAnalysis } from './analysis-cache.js';

/** Which face of a picture is the person whom its folder names. */
export type WhichFace = 'largest' | 'centre';

/** The face of the person whom a picture shows. */
export interface SampleFace {
  /** Faces in the picture. */
  faces: number;
  /** Unit length; undefined where no face was found. */
  embedding?: Float32Array;
  /** Distance between the eyes, pixels; undefined where the detector gives no landmarks. */
  eyes?: number;
  /** Why the picture could not be analysed. */
  problem?: string;
}

/** A picture to analyse. */
export interface AnalysisTask {
  /** Reads the encoded picture; called once, when its turn has come. The caller owns the buffer. */
  read: () => Promise<Uint8Array>;
  /** Names the picture and what was done to it: the same key means the same bytes. */
  key: string;
  options: Pick<AnalyzeOptions, 'views' | 'minFaceSize'>;
}

export interface AnalysisSettings {
  vision: Pick<VisionPool, 'analyze'>;
  cache: AnalysisCache;
  which: WhichFace;
  /** Pictures analysed at a time. */
  atOnce: number;
  /** Called after each picture. */
  onAnalysed?: (done: number, of: number) => void;
}

/**
 * Analyses pictures, several at a time. A damaged picture is reported in its result and does not stop the others.
 * @returns one result per task, in their order
 * @throws KaomonError NO_MODEL, CLOSING, INTERNAL, ...: whatever is not a picture's fault
 */
export async function analyseAll(
  tasks: readonly AnalysisTask[],
  settings: AnalysisSettings,
): Promise<SampleFace[]> {
  const { cache, which, atOnce, onAnalysed } = settings;
  let done = 0;
  const analyse = async (task: AnalysisTask): Promise<SampleFace> => {
    const key = `${task.key} ${JSON.stringify(task.options)}`;
    let seen = await cache.get(key);
    if (!seen) {
      seen = await analyseOne(task, settings);
      await cache.put(key, seen);
    }
    done += 1;
    onAnalysed?.(done, tasks.length);
    return chooseFace(seen, which);
  };
  return await pMap(tasks, analyse, { concurrency: atOnce });
}

/** The bytes of a file in a buffer of their own, which the vision pool may take over. */
export async function readOwn(file: string): Promise<Uint8Array> {
  return new Uint8Array(await readFile(file));
}

async function analyseOne(
  { read, options }: AnalysisTask,
  { vision }: AnalysisSettings,
): Promise<PictureAnalysis> {
  try {
    const { width, height, faces } = await vision.analyze(await read(), options);
    return {
      width,
      height,
      faces: faces.map(({ box, landmarks, embedding }) => ({
        box,
        ...(landmarks && { eyes: Math.hypot(landmarks[2] - landmarks[0], landmarks[3] - landmarks[1]) }),
        ...(embedding && { embedding }),
      })),
    };
  } catch (error) {
    if (error instanceof KaomonError && error.code.startsWith('IMAGE_')) {
      return { width: 0, height: 0, faces: [], problem: error.message };
    }
    throw error;
  }
}

function chooseFace({ width, height, faces, problem }: PictureAnalysis, which: WhichFace): SampleFace {
  const away = ({ box: { x1, y1, x2, y2 } }: PictureAnalysis['faces'][number]) =>
    Math.hypot(x1 + x2 - width, y1 + y2 - height);
  const face = (which === 'largest' ? faces : faces.toSorted((a, b) => away(a) - away(b))).at(0);
  return {
    faces: faces.length,
    ...(face?.embedding && { embedding: face.embedding }),
    ...(face?.eyes !== undefined && { eyes: face.eyes }),
    ...(problem !== undefined && { problem }),
  };
}
