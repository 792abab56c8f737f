/** Pages of a gallery in Redis while others add and delete people: nobody is met twice, missed, or mistaken for the end. */
import assert from 'node:assert/strict';
import { after, describe, it, type TestContext } from 'node:test';
import { createRemoteLayout } from '../../src/gallery/remote/layout.js';
import { createRemotePages } from '../../src/gallery/remote/pages.js';
import { createRemoteReader } from '../../src/gallery/remote/reader.js';
import type { PageOptions } from '../../src/gallery/types.js';
import { createDamage } from '../../src/platform/files/damage.js';
import { connectHooked } from '../support/hooked-redis.js';
import { createPlainEngine } from '../support/plain-engine.js';
import { REDIS_MISSING, startRedis } from '../support/redis.js';
import { forWholeFile } from '../support/redis-kinds.js';
import { openRemoteStore } from '../support/remote-stores.js';

const settingsOfOne = forWholeFile(async (t) => (await startRedis(t)).settings, after);
const PROFILE = { username: '', metadata: {} };

/** @param there who is there at first */
async function stage(t: TestContext, there: readonly string[]) {
  const settings = await settingsOfOne();
  const engine = createPlainEngine();
  const store = await openRemoteStore(settings, (pack) => Promise.resolve(engine.open(pack)));
  t.after(() => store.close());
  await store.prepare();
  for (const faceid of there) assert.ok(await store.createPerson(faceid, PROFILE));

  const { redis, hooked, hooks } = await connectHooked(t, settings);
  const layout = createRemoteLayout(settings, 'tiny');
  const reader = createRemoteReader({ redis, layout, damage: createDamage(() => undefined) });
  const met: { reading?: (faceids: readonly string[]) => Promise<void> } = {};
  const pages = createRemotePages({
    ...{ redis: hooked, layout },
    reader: {
      async read(faceids) {
        await met.reading?.(faceids);
        return reader.read(faceids);
      },
    },
  });
  /** From page to page, as an export goes. */
  async function walk(options: PageOptions): Promise<string[]> {
    const seen: string[] = [];
    for (let after: string | undefined = ''; after !== undefined;) {
      const page = await pages.page({ ...options, ...(after && { after }) });
      seen.push(...page.people.map(({ faceid }) => faceid));
      after = page.next;
    }
    return seen;
  }
  return { store, hooks, met, walk, pages };
}

const numbered = (count: number, groupid = 'default') =>
  Array.from({ length: count }, (_, i) => `${groupid}-m${String(i).padStart(3, '0')}`);

describe('pages of a gallery that others change', { skip: REDIS_MISSING }, () => {
  for (const groups of [undefined, new Set(['default', 'staff'])])
    it(`have everybody once who was there throughout${groups ? ', by group' : ''}`, async (t) => {
      const all = [...numbered(20), ...numbered(20, 'staff')];
      const { store, hooks, walk } = await stage(t, all);
      let turn = 0;
      hooks.after = async () => {
        turn += 1;
        // Three come before everybody else, then they go again.
        const name = `default-a${turn % 3}`;
        if (turn % 6 < 3) await store.createPerson(name, PROFILE);
        else await store.removePerson(name);
      };
      const seen = await walk({ limit: 3, groups });
      assert.ok(turn > 10);
      assert.deepEqual(
        seen.filter((faceid) => !faceid.startsWith('default-a')),
        all,
      );
    });

  it('do not end where somebody goes between the list and the reading', async (t) => {
    const all = numbered(12);
    const { store, met, walk } = await stage(t, all);
    let gone: string | undefined;
    met.reading = async (faceids) => {
      if (gone !== undefined) return;
      gone = faceids[1];
      await store.removePerson(gone);
    };
    const seen = await walk({ limit: 4 });
    assert.deepEqual(
      seen,
      all.filter((faceid) => faceid !== gone),
    );
    assert.equal(seen.length, 11);
  });

  it('have nobody of another group, whoever comes while a page far behind is looked for', async (t) => {
    const { store, hooks, pages } = await stage(t, [...numbered(5), ...numbered(5, 'staff')]);
    let turn = 0;
    hooks.after = async () => {
      for (let i = 0; i < 3; i++) await store.createPerson(`default-a${turn++}`, PROFILE);
    };
    const { people } = await pages.page({ limit: 3, offset: 1, groups: new Set(['staff']) });
    assert.ok(people.length === 3 && people.every(({ faceid }) => faceid.startsWith('staff-')));
  });
});
