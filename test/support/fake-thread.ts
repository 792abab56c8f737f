/**
 * A vision thread without networks: it finds as many faces in a "picture" as its text is long, after the next turn of
 * its event loop, and says in `width` how many pictures came with it and in `height` how many providers it was to try.
 * The text "die" ends it, "bad" is refused, "slow" takes a while, and "endless" takes until nobody waits for it any
 * more. Providers that the pack's title names do not serve.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { KaomonError, toPlainError } from '../../src/errors.js';
import { isStopped } from '../../src/vision/stop.js';
import type { FromThread, PictureResult, ThreadSettings, ToThread } from '../../src/vision/messages.js';

const { providers, pack } = workerData as ThreadSettings;
const broken = pack.title.split(' ');
const answer = (message: FromThread) => parentPort?.postMessage(message);

function lookAt(bytes: Uint8Array, together: number): PictureResult {
  const text = Buffer.from(bytes).toString();
  if (text === 'die') process.exit(1);
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
    answer({
      kind: 'done',
      results: message.pictures.map(({ bytes }) => lookAt(bytes, message.pictures.length)),
    });
  })();
});
answer({
  kind: 'ready',
  provider: [...providers, 'cpu'].find((provider) => !broken.includes(provider)) ?? 'cpu',
  refusedProviders: providers
    .filter((provider) => broken.includes(provider))
    .map((provider) => ({ provider, reason: 'is broken' })),
});
