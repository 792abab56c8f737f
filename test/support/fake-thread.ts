/**
 * A vision thread without networks: it finds as many faces in a "picture" as its text is long, after the next turn of
 * its event loop, and says in `width` how many pictures came with it and in `height` how many providers it was to try.
 * The text "die" ends it, "throw" too, by a fault, "bad" is refused, "slow" takes a while, "endless" takes until nobody waits for it any more,
 * and "sick" fails on a GPU, as everything does when one is lost. Providers that the pack's title names do not serve.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { KaomonError, toPlainError } from '../../src/platform/errors.js';
import { isStopped } from '../../src/vision/stop.js';
import type { FromThread, PictureResult, ThreadSettings, ToThread } from '../../src/vision/messages.js';

const { providers, pack } = workerData as ThreadSettings;
const broken = pack.title.split(' ');
const provider = [...providers, 'cpu'].find((name) => !broken.includes(name)) ?? 'cpu';
const answer = (message: FromThread) => parentPort?.postMessage(message);

function lookAt(bytes: Uint8Array, together: number): PictureResult {
  const text = Buffer.from(bytes).toString();
  if (text === 'die') process.exit(1);
  if (text === 'throw') throw new Error('It threw.');
  if (text === 'sick' && provider !== 'cpu') return { error: toPlainError(new Error('The device is lost.')) };
  if (text === 'bad') return { error: toPlainError(new KaomonError('IMAGE_UNREADABLE', 'It is bad.')) };
  const faces = Array.from(text, () => ({
    ...{ box: { x1: 0, y1: 0, x2: 1, y2: 1 }, probability: 1, landmarks: undefined },
  }));
  const times = { queue: 0, decode: 0, detect: 0, embed: 0 };
  return { analysis: { width: together, height: providers.length, faces, times } };
}

parentPort?.on('message', (message: ToThread) => {
  if (message.kind === 'close') {
    parentPort?.close();
    return;
  }
  void (async () => {
    await nextTurn();
    for (const { bytes, stop } of message.pictures) {
      const text = Buffer.from(bytes).toString();
      if (text === 'slow') await sleep(150);
      while (text === 'endless' && !isStopped(stop)) await nextTurn();
    }
    const results = message.pictures.map(({ bytes }) => lookAt(bytes, message.pictures.length));
    const ends =
      provider !== 'cpu' && results.some((result) => 'error' in result && result.error.code === 'INTERNAL');
    answer({ kind: 'done', results, ends });
    if (ends) parentPort?.close();
  })();
});
answer({
  kind: 'ready',
  provider,
  refusedProviders: providers
    .filter((name) => broken.includes(name))
    .map((name) => ({ provider: name, reason: 'is broken' })),
});
