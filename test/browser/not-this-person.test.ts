import assert from 'node:assert/strict';
import { it } from 'node:test';
import { unitVector, workersGalleries } from '../support/app.js';
import { until } from '../support/until.js';
import { enrolByVector, openAppSite } from './support/app-site.js';
import { CHROMIUM_MISSING, openBrowser, openTab } from './support/browser.js';
import { drawScene, PORTRAITS } from './support/portrait.js';
import { face, KEN } from './support/visit.js';

/** How far the face before the camera is from Ken's, for whom it is taken. */
const WRONG = 0.2;

it(
  'a name that the camera’s page says is wrong goes there and in another worker, and comes back when that is undone',
  { skip: CHROMIUM_MISSING },
  async (t) => {
    const [here, there] = await workersGalleries(t, 2);
    const site = await openAppSite(t, { settings: { KEEP_FACES: true }, deps: { gallery: here } });
    const { ken } = PORTRAITS;
    await enrolByVector(site, { userid: 'ken', username: 'Ken Mori', distance: 0, portrait: ken });
    site.found = [{ ...KEN, distance: WRONG }];
    const browser = await openBrowser(t, { picture: await drawScene([KEN]) });
    const { page, context, faults } = await openTab(browser);
    t.after(() => context.close());
    const elsewhere = async () => (await there.nearest(unitVector(WRONG), 1)).at(0)?.person.faceid;
    await until(async () => (await elsewhere()) === 'default-ken');

    await page.goto(`${site.url}/`);
    await face(page, 'Ken Mori').click();
    await page.locator('dialog.who #not-this-person').click();
    await page.locator('.toast', { hasText: 'Ken Mori' }).waitFor();
    await until(async () => (await elsewhere()) === undefined);
    await until(async () => (await face(page, 'Ken Mori').count()) === 0);

    await page.locator('.toast', { hasText: 'Ken Mori' }).getByRole('button', { name: 'Undo' }).click();
    await until(async () => (await elsewhere()) === 'default-ken');
    await page.keyboard.press('Escape');
    await face(page, 'Ken Mori').waitFor();
    assert.deepEqual(faults, []);
  },
);
