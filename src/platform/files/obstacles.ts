/** What keeps a gallery from being written: recognised from the errors of disks and Redis, and explained to a person. */
import { type ErrorCode, KaomonError } from '../errors.js';

export type Obstacle =
  'disk full' | 'redis full' | 'read-only' | 'unreachable' | 'milvus away' | 'milvus empty';

/** Those in which faces cannot even be searched. */
export type SearchObstacle = Extract<Obstacle, 'milvus away' | 'milvus empty'>;

/** Without paths, because callers see these. */
export const OBSTACLES: Readonly<Record<Obstacle, { code: ErrorCode; message: string }>> = {
  'disk full': {
    code: 'STORAGE_FULL',
    message:
      'The disk that holds the gallery is full: nothing can be added or changed until there is room. Deleting still works.',
  },
  'redis full': {
    code: 'STORAGE_FULL',
    message:
      'Redis, which holds the gallery, is at its limit of memory (maxmemory): nothing can be added or changed until there is room. Deleting still works.',
  },
  'read-only': {
    code: 'STORE_UNAVAILABLE',
    message:
      'The gallery is read-only for this server: nothing can be added, changed or deleted until it may write there.',
  },
  unreachable: {
    code: 'STORE_UNAVAILABLE',
    message: 'The gallery cannot be written at the moment: try again in a little while.',
  },
  'milvus away': {
    code: 'STORE_UNAVAILABLE',
    message:
      'Milvus, in which faces are searched, does not answer: until it does, nobody can be recognised and nothing added or changed. Deleting still works.',
  },
  'milvus empty': {
    code: 'STORE_UNAVAILABLE',
    message:
      'Milvus, in which faces are searched, has lost them: until they are brought back (docs/scale.md), nobody can be recognised and nothing added or changed. Deleting still works.',
  },
};

export const keepsFromSearching = (obstacle: Obstacle | undefined): obstacle is SearchObstacle =>
  obstacle === 'milvus away' || obstacle === 'milvus empty';

const OF_SYSTEM: Record<string, Obstacle | undefined> = {
  ENOSPC: 'disk full',
  EDQUOT: 'disk full',
  EROFS: 'read-only',
  EACCES: 'read-only',
  EPERM: 'read-only',
};
/** Errors of scripts and transactions contain Redis's own in the middle. */
const REDIS_FULL = /\bOOM command not allowed\b/;
/** Errors within errors that are followed. */
const DEEP = 5;

/** The obstacle that an error or one of its causes names; undefined: none of these. */
export function obstacleOf(error: unknown, depth = DEEP): Obstacle | undefined {
  if (!(error instanceof Error) || depth === 0) return undefined;
  const { code = '', previousErrors = [] } = error as Error & { code?: unknown; previousErrors?: unknown[] };
  if (REDIS_FULL.test(error.message)) return 'redis full';
  return (
    OF_SYSTEM[String(code)] ??
    obstacleOf(error.cause, depth - 1) ??
    previousErrors.map((previous) => obstacleOf(previous, depth - 1)).find(Boolean)
  );
}

export function isFull(error: unknown): boolean {
  const obstacle = obstacleOf(error);
  return obstacle === 'disk full' || obstacle === 'redis full';
}

/** Seconds until the obstacle may be gone: making room takes a person. */
const RETRY_AFTER = { STORAGE_FULL: 60, STORE_UNAVAILABLE: 5 };

/** The error for a caller whose change could not be written. */
export function refusalOf(obstacle: Obstacle, cause?: unknown): KaomonError {
  const { code, message } = OBSTACLES[obstacle];
  const retryAfter = code === 'STORAGE_FULL' ? RETRY_AFTER.STORAGE_FULL : RETRY_AFTER.STORE_UNAVAILABLE;
  return new KaomonError(code, message, { cause, retryAfter });
}

/** Whether the store failed, not the request: then nobody knows how far a change got. */
export function isStoreTrouble(error: unknown): boolean {
  return (
    error instanceof KaomonError && (error.code === 'STORE_UNAVAILABLE' || error.code === 'STORAGE_FULL')
  );
}
