import { rm } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '../platform/files/durable.js';
import type { BenchContext } from './effort.js';
import { rowOf } from './report.js';
import { startServer } from './server.js';

const GIVE_UP = 5000;

/**
 * Two workers share a gallery: a person is created through the first one, and the time is taken from its answer until the
 * second one knows the person.
 */
export async function benchEvents(
  env: Readonly<Record<string, string>>,
  { folder, effort, add, note }: BenchContext,
): Promise<void> {
  const embeddings = path.join(folder, 'embeddings-events');
  await rm(embeddings, { recursive: true, force: true });
  await makeFolder(embeddings);
  const settings = {
    ...env,
    EMBEDDINGS_DIR: embeddings,
    CACHE_DIR: path.join(folder, 'server'),
    VISION_THREADS: '1',
  };
  const first = await startServer(settings);
  try {
    const second = await startServer(settings);
    try {
      const known = async (url: string) => {
        const begun = performance.now();
        while (performance.now() - begun < GIVE_UP) {
          if ((await second.ask('GET', url)).status === 200) return performance.now() - begun;
        }
        throw new Error(`the second worker did not know it within ${GIVE_UP / 1000} s`);
      };
      await first.send('POST', '/api/v1/groups', { groupid: 'bench', groupname: 'Bench' });
      const samples: number[] = [];
      for (let i = 0; i < effort.enrolments; i++) {
        const person = { groupid: 'bench', userid: `person${i}` };
        const { faceid } = (await first.send('POST', '/api/v1/people', person)) as { faceid: string };
        samples.push(await known(`/api/v1/people/${faceid}`));
      }
      add(
        rowOf(
          { section: 'events', of: 'two workers, file log', measure: 'known after', unit: 'ms' },
          samples,
        ),
      );
    } catch (error) {
      note(`events: left out: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      await second.end();
    }
  } finally {
    await first.end();
  }
}
