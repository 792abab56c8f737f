import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openSightingStore } from '../../src/sightings/store/client.js';
import { seededRandom } from '../support/vectors.js';
import { temporaryFolder } from '../support/temporary.js';

const WRITER = fileURLToPath(new URL('../support/sighting-writer.js', import.meta.url));
/** So often each writer is killed, and started again with the visit that it was not told of. */
const KILLS = Number(process.env.CHAOS ?? 4);

describe('workers that are killed while they write sightings', () => {
  it('lose none that was acknowledged, and none is there twice', { timeout: 600_000 }, async (t) => {
    const file = path.join(await temporaryFolder(t), 'sightings', 'tiny.db');
    const random = seededRandom(5);
    const acknowledged = new Map<string, number>();
    async function write(name: string): Promise<void> {
      for (let kill = 0; kill < KILLS; kill++) {
        const from = acknowledged.get(name) ?? 0;
        const child = spawn(process.execPath, [WRITER, file, name, String(from)], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        t.after(() => child.kill('SIGKILL'));
        const until = from + 3 + Math.floor(random() * 20);
        for await (const line of createInterface({ input: child.stdout })) {
          acknowledged.set(name, Number(line) + 1);
          if (Number(line) >= until) child.kill('SIGKILL');
        }
        if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
        assert.equal(child.signalCode, 'SIGKILL', 'it ended by nothing else');
      }
    }
    const names = ['a', 'b', 'c'];
    await Promise.all(names.map(write));
    const store = openSightingStore({ file, gap: 10_000, pair: 0.5 });
    t.after(() => store.close());
    const all = await store.ask('sightings', {}, undefined, 100_000);
    const happened = await store.ask('happenings', 0, 100_000);
    for (const name of names) {
      const [mine, count] = [all.filter(({ deviceid }) => deviceid === name), acknowledged.get(name) ?? 0];
      assert.ok(count >= KILLS * 3, `${count} were acknowledged`);
      // One more may have been written without its writer living to say so.
      assert.ok(mine.length === count || mine.length === count + 1, `${mine.length} of ${count}`);
      assert.equal(new Set(mine.map(({ first }) => first)).size, mine.length, 'each once');
      assert.ok(mine.filter(({ frames }) => frames === 2).length >= count);
      const arrivals = happened.filter(
        ({ kind, sighting }) => kind === 'arrived' && sighting?.deviceid === name,
      );
      assert.equal(arrivals.length, mine.length, 'each told of once');
    }
  });
});
