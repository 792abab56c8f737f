import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { SubscriberState } from '../../src/events/subscriber.js';
import type { Notices } from '../../src/notices/open.js';
import type { Correction, Face } from '../../src/gallery/types.js';

const SCRIPT = fileURLToPath(new URL('./gallery-worker.js', import.meta.url));

/** How a request to a worker failed. `code` is GONE when the worker died before it answered. */
export class WorkerError extends Error {
  readonly code: string;
  readonly statusCode: number;
  readonly retryAfter: number | null;
  constructor(error: { code: string; statusCode: number; retryAfter: number | null; message: string }) {
    super(error.message);
    ({ code: this.code, statusCode: this.statusCode, retryAfter: this.retryAfter } = error);
  }
}

export interface Snapshot {
  groups: { groupid: string }[];
  people: [faceid: string, username: string, faces: string[]][];
  corrections: string[];
  faces: number;
  /** Left out where a worker holds only those who are new. */
  vectors?: number;
}

interface Answers {
  enrol: Face;
  nearest: { faceid: string; face: string; distance: number } | null;
  snapshot: Snapshot;
  correct: Correction;
  ruling: string | null;
  searched: number;
  threshold: number;
  changes: { kind: string; faceid?: string; face?: string }[];
  seen: number | null;
  state: SubscriberState | null;
  notices: (ReturnType<Notices['info']> & { leads: boolean }) | null;
}

/** A worker process (gallery-worker.ts) and its event manager. */
export interface GalleryWorker {
  readonly child: ChildProcess;
  ask<V extends string>(verb: V, ...args: unknown[]): Promise<V extends keyof Answers ? Answers[V] : unknown>;
  /** Kills the worker as a crash does. Its event manager ends by itself. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

/** @param env settings, as for the server */
export async function startWorker(env: Record<string, string>): Promise<GalleryWorker> {
  const child = fork(SCRIPT, [], { execArgv: [], env: { PATH: process.env.PATH, ...env } });
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  let count = 0;
  let gone = false;
  const exited = once(child, 'exit');
  const ready = new Promise<void>((resolve, reject) => {
    child.on('message', (message: { ready?: true; id: number; result?: never; error?: WorkerError }) => {
      if (message.ready) {
        resolve();
        return;
      }
      const asked = waiting.get(message.id);
      waiting.delete(message.id);
      if (message.error) asked?.reject(new WorkerError(message.error));
      else asked?.resolve(message.result as never);
    });
    child.on('exit', () => {
      gone = true;
      reject(new Error('The worker ended before it was ready.'));
      const error = { code: 'GONE', statusCode: 0, retryAfter: null, message: 'The worker ended.' };
      for (const { reject: fail } of waiting.values()) fail(new WorkerError(error));
    });
  });
  await ready;
  const worker: GalleryWorker = {
    child,
    ask(verb, ...args) {
      return new Promise((resolve, reject) => {
        if (gone) {
          reject(
            new WorkerError({ code: 'GONE', statusCode: 0, retryAfter: null, message: 'The worker ended.' }),
          );
          return;
        }
        const id = count++;
        waiting.set(id, { resolve, reject });
        // Killed, but not yet seen to be gone: the exit that follows answers everybody who waits.
        if (child.connected) child.send({ id, verb, args }, () => undefined);
      });
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
    async close() {
      if (gone) return;
      await worker.ask('close').catch(() => undefined);
      await exited;
    },
  };
  return worker;
}
