import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { until } from '../support/until.js';
import { openAppSite } from './support/app-site.js';
import { axeFindings, LOCALES } from './support/axe.js';
import { CHROMIUM_MISSING } from './support/browser.js';
import { browserForSuite, card } from './support/visit.js';

/** What the browser keeps, by cache. */
const kept = (page: Page) =>
  page.evaluate(async () => {
    const names = await caches.keys();
    const addresses = names.map(async (name) => {
      const requests = await (await caches.open(name)).keys();
      return requests.map(({ url }) => new URL(url).pathname);
    });
    return (await Promise.all(addresses)).flat();
  });

/** Until the worker has what it keeps. */
const ready = (page: Page) =>
  page.evaluate(async () => {
    const { active } = await navigator.serviceWorker.ready;
    if (active?.state === 'activated') return;
    await new Promise((resolve) => active?.addEventListener('statechange', resolve, { once: true }));
  });

describe('the page for the time without a server', { skip: CHROMIUM_MISSING }, () => {
  const visit = browserForSuite();

  it('is all that is kept, is shown while the server is away, and goes on by itself', async (t) => {
    const { page, site, faults } = await visit(t, '/people', { serviceWorkers: 'allow' });
    await ready(page);
    // Under the worker: answers of the API, and pictures of people.
    await page.reload();
    await card(page, 'default-ken').click();
    await page.locator('dialog img').first().waitFor();
    const files = await kept(page);
    assert.deepEqual(
      files.filter((file) => file !== '/offline' && !file.startsWith('/assets/')),
      [],
    );
    assert.ok(files.length >= 3 && files.length <= 5, files.join(', '));

    await site.stop();
    await page.goto(`${site.url}/status`);
    await page.getByRole('heading', { name: 'The server does not answer' }).waitFor();
    assert.equal(page.url(), `${site.url}/status`);
    assert.equal(await page.locator('main .card').evaluate((one) => getComputedStyle(one).display), 'grid');
    assert.deepEqual(await axeFindings(page), []);

    await openAppSite(t, { port: site.port });
    await page.locator('#charts').waitFor({ state: 'attached' });
    assert.deepEqual(faults, []);
  });

  it('is kept in the language that was chosen last', async (t) => {
    const { page, site } = await visit(t, '/people', { serviceWorkers: 'allow' });
    await ready(page);
    await page.locator('#language').click();
    await page.locator('html[lang="ja"]').waitFor();
    // Until the worker of the other language has taken over: before, the browser may still be fetching what it keeps.
    // Asked again and again: `waitForFunction` takes the promise of an asynchronous function for a yes.
    const hasTakenOver = async () => {
      const registration = await navigator.serviceWorker.getRegistration();
      const { state, scriptURL = '' } = registration?.active ?? {};
      return state === 'activated' && scriptURL.endsWith('?ja');
    };
    await until(() => page.evaluate(hasTakenOver));
    await site.stop();
    await page.goto(site.url);
    await page.getByRole('heading', { name: 'サーバーが応答しません' }).waitFor();
  });

  it('lets nothing of an earlier version live on', async (t) => {
    const { page } = await visit(t, '/people', { serviceWorkers: 'allow' });
    await page.evaluate(async () => {
      const old = await caches.open('offline-00000000');
      await old.put('/offline', new Response('old'));
    });
    await page.evaluate(async () => {
      for (const one of await navigator.serviceWorker.getRegistrations()) await one.unregister();
    });
    await page.reload();
    await ready(page);
    await until(() => page.evaluate(async () => !(await caches.keys()).includes('offline-00000000')));
    // A page comes from the server while there is one.
    assert.equal(await page.reload().then((answer) => answer?.fromServiceWorker()), true);
    assert.equal(await page.locator('h1').innerText(), 'People');
  });

  it('has no finding of axe in either language', async (t) => {
    for (const locale of LOCALES) {
      const { page } = await visit(t, '/offline', { locale });
      assert.deepEqual(await axeFindings(page), []);
    }
  });
});
