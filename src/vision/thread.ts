/**
 * A vision thread: processes the pictures of one message at a time, and ends when told to, but never during a run.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';
import { toPlainError } from '../platform/errors.js';
import { type Analyzer, type AskedPicture, createAnalyzer } from './analyzer.js';
import { decodedPictures } from './image.js';
import type { FromThread, PictureResult, ThreadSettings, ToThread } from './messages.js';
import { joinWorkSharing, type WorkSharing } from './work-sharing.js';

const port = parentPort;
if (!port) throw new Error('thread.ts runs in a worker thread only: see pool.ts.');

const answer = (message: FromThread, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);

/**
 * Frees the last picture. sharp allocates a megabyte or two for each, which V8 ignores when it decides to collect: dozens
 * would pile up, and each new one would cost hundreds of page faults (measured: 8 of the 12 ms of decoding a frame; this
 * takes 0.5 ms, after the answer is sent).
 */
const dropPicture = openCollector();

function openCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('globalThis.gc') as NodeJS.GCFunction | undefined;
  return () => collect?.({ type: 'minor' });
}

/** @returns whether the thread is to end */
async function analyze(analyzer: Analyzer, pictures: readonly AskedPicture[]): Promise<boolean> {
  const buffers: ArrayBuffer[] = [];
  const results = (await analyzer.analyze(pictures)).map((result): PictureResult => {
    if (result.status === 'rejected') return { error: toPlainError(result.reason) };
    for (const { embedding, aligned } of result.value.faces) {
      if (embedding) buffers.push(embedding.buffer as ArrayBuffer);
      if (aligned) buffers.push(aligned.buffer as ArrayBuffer);
    }
    return { analysis: result.value };
  });
  // A failed GPU fails every later picture. A new thread checks it again, and uses another provider if necessary.
  const ends =
    analyzer.provider !== 'cpu' &&
    results.some((result) => 'error' in result && result.error.code === 'INTERNAL');
  answer({ kind: 'done', results, ends }, buffers);
  return ends;
}

/** Frames that were answered undecoded leave little: they wait for the next that is decoded. */
function createDropping(): () => void {
  let dropped = decodedPictures();
  return () => {
    if (decodedPictures() === dropped) return;
    dropped = decodedPictures();
    dropPicture();
  };
}

async function serve(analyzer: Analyzer, sharing: WorkSharing): Promise<void> {
  // Messages wait in the port while a picture is worked on; 'close' therefore comes after the last one.
  let last: Promise<void> = Promise.resolve();
  const dropPictures = createDropping();
  await new Promise<void>((resolve) => {
    port?.on('message', (message: ToThread) => {
      if (message.kind === 'close') resolve();
      else
        last = last
          .then(() => sharing.settled())
          .then(() => analyze(analyzer, message.pictures))
          .then((ends) => {
            dropPictures();
            if (ends) resolve();
          });
    });
    answer({
      kind: 'ready',
      provider: analyzer.provider,
      refusedProviders: [...analyzer.refusedProviders],
      detector: analyzer.detector,
    });
  });
  await last;
  sharing.close();
  await sharing.settled();
  await analyzer.release();
}

try {
  const { sharing: slot, ...settings } = workerData as ThreadSettings;
  const sharing = joinWorkSharing(slot);
  await serve(await createAnalyzer(settings, sharing), sharing);
} catch (error) {
  answer({ kind: 'failed', error: toPlainError(error) });
}
port.close();
