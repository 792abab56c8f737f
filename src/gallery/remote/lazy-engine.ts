import { KaomonError } from '../../platform/errors.js';
import { quietMessage } from '../../platform/quiet-error.js';
import type { VectorEngine } from './engine.js';

/** Until it is open nothing was written to it by this process: Milvus's, which is the slowest, milliseconds. */
const SETTLES = 15_000;
/** After it could not be opened callers are told so at once for so long, milliseconds. */
const AGAIN = 500;
const RETRY_AFTER = 5;

/**
 * An engine that is opened when it is first asked for something, and tried again later where it could not be: of a pack that
 * is not searched, from which people must be deleted while the engine is away.
 * @param pack named where it cannot be opened
 */
export function lazyEngine(pack: string, open: () => Promise<VectorEngine>): VectorEngine {
  let opened: VectorEngine | undefined;
  let opening: Promise<VectorEngine> | undefined;
  let failed: { at: number; error: KaomonError } | undefined;
  let isClosed = false;

  async function start(): Promise<VectorEngine> {
    try {
      opened = await open();
      failed = undefined;
    } catch (cause) {
      const message = `The faces of the pack ${pack} cannot be reached in Milvus: ${quietMessage(cause)}`;
      const error = new KaomonError('STORE_UNAVAILABLE', message, { cause, retryAfter: RETRY_AFTER });
      failed = { at: performance.now(), error };
      throw error;
    } finally {
      opening = undefined;
    }
    if (isClosed) await opened.close();
    return opened;
  }

  async function engine(): Promise<VectorEngine> {
    if (opened) return opened;
    if (failed && performance.now() - failed.at < AGAIN) throw failed.error;
    return await (opening ??= start());
  }

  return {
    get kind() {
      return opened?.kind ?? 'not opened';
    },
    get settles() {
      return opened?.settles ?? SETTLES;
    },
    get most() {
      return opened?.most ?? 0;
    },
    search: async (...asked) => (await engine()).search(...asked),
    vectors: async (...asked) => (await engine()).vectors(...asked),
    held: async (...asked) => (await engine()).held(...asked),
    write: async (...asked) => (await engine()).write(...asked),
    remove: async (...asked) => (await engine()).remove(...asked),
    count: async () => (await engine()).count(),
    compact: async () => (await engine()).compact(),
    trouble: () => (opened ? opened.trouble() : failed && 'milvus away'),
    obstacle: async () => (opened ? opened.obstacle() : failed && 'milvus away'),

    async close() {
      isClosed = true;
      await opened?.close();
    },
  };
}
