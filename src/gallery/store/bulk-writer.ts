import { Worker } from 'node:worker_threads';
import { createKeyedMutex } from '../../platform/keyed-mutex.js';
import type { BulkAnswer, BulkTask, PersonFiles } from './bulk-thread.js';

/**
 * Writes the folders of many people by a thread of its own, which is begun when it is first needed. There each file is a
 * few system calls in a row; from the main thread each call would cost it more than the call itself takes.
 * @param packFolder where the people's folders are; it exists when something is added
 */
export function createBulkWriter(packFolder: string) {
  const mutex = createKeyedMutex();
  let thread: Worker | undefined;

  function begin(): Worker {
    if (thread) return thread;
    const begun = new Worker(new URL('./bulk-thread.js', import.meta.url), { name: 'gallery writer' });
    // Whoever waits for an answer holds it; nothing else does.
    begun.unref();
    begun.once('exit', () => {
      if (thread === begun) thread = undefined;
    });
    return (thread = begun);
  }

  function ask(task: BulkTask): Promise<BulkAnswer> {
    const asked = begin();
    asked.ref();
    return new Promise<BulkAnswer>((resolve, reject) => {
      const end = () => {
        asked.off('message', onAnswer).off('error', onError).off('exit', onExit);
        asked.unref();
      };
      const onAnswer = (answer: BulkAnswer) => {
        end();
        resolve(answer);
      };
      const onError = (error: unknown) => {
        end();
        reject(error instanceof Error ? error : new Error(String(error)));
      };
      const onExit = () => onError(new Error('The thread that writes the gallery ended.'));
      asked.on('message', onAnswer).on('error', onError).on('exit', onExit);
      asked.postMessage(task);
    });
  }

  return {
    /**
     * Writes people who are all on the disk for good when it resolves, and none of whom anybody sees half written.
     * @returns of each: false, and nothing was written, when there is a folder of that name that is not empty
     * @throws system errors, with their code; then some may be there
     */
    async add(people: readonly PersonFiles[]): Promise<boolean[]> {
      const answer = await mutex.run('all', () => ask({ packFolder, people }));
      if ('added' in answer) return answer.added;
      throw Object.assign(new Error(answer.message), { code: answer.code });
    },

    async close(): Promise<void> {
      await mutex.idle();
      await thread?.terminate();
    },
  };
}
