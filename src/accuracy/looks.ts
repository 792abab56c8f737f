/** Every picture looked at as the product looks at it: once as a probe, and once as it would be enrolled. */
import { readFile } from 'node:fs/promises';
import { KaomonError } from '../platform/errors.js';
import type { AnalyzeOptions, VisionPool } from '../vision/types.js';
import type { LookCache, Seen } from './look-cache.js';

/** Which face of a picture is the one that its folder names. */
export type WhichFace = 'largest' | 'centre';

/** What a look at a picture gave of the one person that it is of. */
export interface Look {
  /** Faces in the picture. */
  faces: number;
  /** Unit length; undefined where no face was found. */
  embedding?: Float32Array;
  /** Distance of the eyes, pixels; undefined where the detector gives no landmarks. */
  eyes?: number;
  /** Why the picture could not be looked at. */
  problem?: string;
}

/** A picture to be looked at. */
export interface Task {
  /** Encoded; called once, when it is its turn. The buffer is given away. */
  read: () => Promise<Uint8Array>;
  /** Names the picture and whatever was done to it: the same key, the same bytes. */
  key: string;
  options: Pick<AnalyzeOptions, 'views' | 'minFaceSize'>;
}

export interface LookSettings {
  vision: Pick<VisionPool, 'analyze'>;
  cache: LookCache;
  which: WhichFace;
  /** Pictures under way at once. */
  atOnce: number;
  /** Called after each picture. */
  onLook?: (done: number, of: number) => void;
}

/**
 * Looks at pictures, several at a time. A picture that is damaged is told in its look and fails nobody else.
 * @returns one look a task, in their order
 * @throws KaomonError NO_MODEL, CLOSING, INTERNAL, ...: whatever is no picture's fault
 */
export async function lookAtAll(tasks: readonly Task[], settings: LookSettings): Promise<Look[]> {
  const { cache, which, atOnce, onLook } = settings;
  const looks = new Array<Look>(tasks.length);
  const queue = tasks.entries();
  let done = 0;
  const work = async () => {
    for (const [i, task] of queue) {
      const key = `${task.key} ${JSON.stringify(task.options)}`;
      let seen = await cache.get(key);
      if (!seen) {
        seen = await lookAt(task, settings);
        await cache.put(key, seen);
      }
      looks[i] = chooseFace(seen, which);
      done += 1;
      onLook?.(done, tasks.length);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return looks;
}

/** The bytes of a file, as a task wants them: a buffer of their own. */
export async function readOwn(file: string): Promise<Uint8Array> {
  return new Uint8Array(await readFile(file));
}

async function lookAt({ read, options }: Task, { vision }: LookSettings): Promise<Seen> {
  try {
    const { width, height, faces } = await vision.analyze(await read(), options);
    return {
      ...{ width, height },
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

function chooseFace({ width, height, faces, problem }: Seen, which: WhichFace): Look {
  const away = ({ box: { x1, y1, x2, y2 } }: Seen['faces'][number]) =>
    Math.hypot(x1 + x2 - width, y1 + y2 - height);
  const face = (which === 'largest' ? faces : faces.toSorted((a, b) => away(a) - away(b))).at(0);
  return {
    faces: faces.length,
    ...(face?.embedding && { embedding: face.embedding }),
    ...(face?.eyes !== undefined && { eyes: face.eyes }),
    ...(problem !== undefined && { problem }),
  };
}
