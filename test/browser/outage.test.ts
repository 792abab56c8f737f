import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CHROMIUM_MISSING } from './support/browser.js';
import { come } from './support/came-by.js';
import { browserForSuite } from './support/visit.js';

/** Pages, and what stands on each once it has read from the server. Those with a camera have tests of their own. */
const PAGES = [
  ['/today?day=all', '.visit-card'],
  ['/people/default-ken', '.visit-card'],
  ['/status', '#charts figure'],
  ['/check', '#look:enabled'],
];

describe('a page whose server is away', { skip: CHROMIUM_MISSING }, () => {
  const visit = browserForSuite({ settings: { SIGHTINGS: true, KEEP_SIGHTINGS: true } });

  for (const [path, content] of PAGES)
    it(`${path} says so when it is opened, and shows all when the server is back`, async (t) => {
      const { page } = await visit(t, path, {}, async (tab, site) => {
        await come(site, { faceid: 'default-ken', at: 1 });
        await tab.route('**/api/**', (route) => route.abort());
      });
      await page
        .getByText(/server/i)
        .filter({ visible: true })
        .first()
        .waitFor();
      assert.equal(await page.locator('.visit-card').count(), 0);
      await page.unroute('**/api/**');
      await page.locator(content).first().waitFor({ timeout: 60_000 });
    });
});
