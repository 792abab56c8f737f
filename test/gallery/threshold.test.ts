import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { it } from 'node:test';
import type { GalleryEvent } from '../../src/events/event.js';
import { createDecision } from '../../src/identity/decision.js';
import { PACK } from '../support/app.js';
import { openTiny } from '../support/galleries.js';
import { temporaryFolder } from '../support/temporary.js';

it('a threshold that is chosen holds in every worker, after a restart, and until it is undone', async (t) => {
  const folder = await temporaryFolder(t);
  const [here, there] = [await openTiny(folder), await openTiny(folder)];
  const events: GalleryEvent[] = [];
  here.subscribe((change) =>
    events.push({ ...change, uid: `${events.length}`, worker: 'here', pack: 'tiny' }),
  );
  const decisionOf = (gallery: typeof here) =>
    createDecision({ pack: PACK, config: { FALSE_NAMES: 0.01, IDENTICAL_DISTANCE: 0.3 }, gallery });
  await here.setThreshold(0.2);
  await there.apply(events[0]);
  for (const gallery of [here, there, await openTiny(folder)]) {
    const decision = decisionOf(gallery);
    assert.deepEqual(
      [decision.threshold(), decision.meaning().by, decision.unchosen()],
      [0.2, 'chosen', 0.3],
    );
    assert.equal(decision.pair(), 0.3, 'a verification does not follow it');
  }
  await here.setThreshold(undefined);
  await there.apply(events[1]);
  for (const gallery of [here, there, await openTiny(folder)])
    assert.deepEqual([decisionOf(gallery).threshold(), decisionOf(gallery).meaning().by], [0.3, 'setting']);
  for (const wrong of [0, -1, 4.1, NaN]) await assert.rejects(here.setThreshold(wrong), RangeError);
});

it('a damaged threshold is set aside, and does not stop a start', async (t) => {
  const folder = await temporaryFolder(t);
  await (await openTiny(folder)).close();
  for (const text of ['', '{"identical": 9}', 'null', '[]']) {
    await writeFile(path.join(folder, 'tiny', '.threshold.json'), text);
    const gallery = await openTiny(folder);
    assert.equal(gallery.threshold(), undefined);
    assert.equal(gallery.info().setAside, 1, text);
    await gallery.close();
  }
});
