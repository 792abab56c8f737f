import { KaomonError } from '../../platform/errors.js';
import { OBSTACLES, refusalOf, type SearchObstacle } from '../../platform/files/obstacles.js';
import { quietMessage } from '../../platform/quiet-error.js';

/** While it is away, how long until it is tried again, milliseconds: in between callers are told at once. */
const AGAIN = 500;
/** Whoever was answered so long ago need not ask, milliseconds. */
const FRESH = 1000;
/** From one try to the next of what may be repeated, milliseconds. */
const PAUSE = 100;

export interface EngineStateOptions {
  /** So long what may be repeated is tried again, milliseconds. */
  limit: number;
  /** Asks whether the engine is well. @throws KaomonError SETUP when it answers, but has lost what it held */
  ping: () => Promise<unknown>;
  /** Told once when it goes away, and once when it is back. */
  warn: (message: string) => void;
}

/** See {@link createEngineState}. */
export type EngineState = ReturnType<typeof createEngineState>;

/**
 * Whether an engine answers. A call that fails is repeated within a limit; then the engine counts as away and callers are
 * told so at once, while it is asked again and again until it is back. Nothing has to be started anew.
 */
export function createEngineState({ limit, ping, warn }: EngineStateOptions) {
  let away: { cause: unknown; why: SearchObstacle } | undefined;
  let asking: NodeJS.Timeout | undefined;
  let isClosed = false;
  let answered = -Infinity;

  const isAway = (): boolean => away !== undefined;
  const refusal = (): KaomonError => refusalOf(away?.why ?? 'milvus away', away?.cause);

  function lose(cause: unknown): void {
    const isEmpty = cause instanceof KaomonError && cause.code === 'SETUP';
    const why = isEmpty ? 'milvus empty' : 'milvus away';
    if (away?.why !== why)
      warn(
        isEmpty
          ? `${OBSTACLES[why].message} ${cause.message}`
          : `Milvus does not answer: faces cannot be searched. ${quietMessage(cause)}`,
      );
    away = { cause, why };
    askLater();
  }

  function askLater(): void {
    if (asking || isClosed) return;
    asking = setTimeout(() => {
      asking = undefined;
      ping().then(
        () => {
          if (away)
            warn(away.why === 'milvus empty' ? 'Milvus has its faces again.' : 'Milvus answers again.');
          away = undefined;
        },
        (cause: unknown) => lose(cause),
      );
    }, AGAIN);
    asking.unref();
  }

  return {
    trouble: (): SearchObstacle | undefined => away?.why,

    /**
     * Runs a call, again where it fails within the limit: every call may be repeated.
     * @throws KaomonError STORE_UNAVAILABLE
     */
    async run<T>(work: () => Promise<T>): Promise<T> {
      if (isAway()) throw refusal();
      const until = performance.now() + limit;
      for (;;) {
        try {
          const answer = await work();
          answered = performance.now();
          return answer;
        } catch (cause) {
          // A fault of ours is not cured by waiting.
          if (cause instanceof RangeError) throw cause;
          if (isAway() || performance.now() + PAUSE >= until) {
            lose(cause);
            throw refusal();
          }
          await new Promise((resolve) => setTimeout(resolve, PAUSE));
        }
      }
    },

    /** Asks, unless that is known. @param isUrgent also where it answered a moment ago */
    async check(isUrgent = false): Promise<void> {
      if (isAway() || (!isUrgent && performance.now() - answered < FRESH)) return;
      try {
        await ping();
        answered = performance.now();
      } catch (cause) {
        lose(cause);
      }
    },

    close(): void {
      isClosed = true;
      clearTimeout(asking);
    },
  };
}
