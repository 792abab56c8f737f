import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { axeFindings, LOCALES } from './support/axe.js';
import { CHROMIUM_MISSING, PASSING } from './support/browser.js';
import { browserForSuite, card, enrolOthers, face, assertFits } from './support/visit.js';

describe('the pages', { skip: CHROMIUM_MISSING }, () => {
  const visit = browserForSuite();

  it('shows the state of the server in figures and charts', async (t) => {
    const { page, faults } = await visit(t, '/status', {}, stubStatus);
    await page.getByText('A pack for tests').waitFor();
    await page
      .getByText(/A better one\. Everyone stays .* npm run reembed -- --from tiny --to best\./)
      .waitFor();
    await page.locator('#facts .bad').getByText('The disk is full.').waitFor();
    await page.getByText('default-ken/a.npy: it is empty').waitFor();
    assert.equal(await page.locator('.chart').count(), 8);
    await page.locator('.chart', { hasText: 'Detection' }).getByText('61 ms').waitFor();
    await assertFits(page);
    assert.deepEqual(faults, []);
  });

  it('shows what the server has really done', async (t) => {
    const { page, site, faults } = await visit(t, '/');
    await face(page, 'Ken Mori').waitFor();
    await page.goto(`${site.url}/status`);
    await page
      .locator('.chart', { hasText: 'Detection' })
      .getByText(/[1-9]\d* ms/)
      .first()
      .waitFor();
    const fact = (term: string) => page.locator('#facts div', { hasText: term }).locator('dd');
    assert.equal(await fact('People').textContent(), '1');
    assert.equal(await fact('Pictures').textContent(), '2');
    await page.waitForFunction(() => {
      const facts = [...document.querySelectorAll('#facts div')].map(({ textContent }) => textContent);
      return facts.some((text) => /^Total requests\D*[1-9]/.test(text));
    });
    assert.deepEqual(faults, []);
  });

  it('signs in by the token in the address, takes it out of the bar and goes back to where it came from', async (t) => {
    const sent: string[] = [];
    let isSignedIn = false;
    const { page, site } = await visit(t, '/signin?next=%2Fpeople#token=secret-token-1', {}, (tab) =>
      tab.route('**/api/v1/session', (route) => {
        const post = route.request().postData();
        if (post !== null) sent.push(post);
        return route.fulfill({
          json: {
            auth: 'key',
            signedIn: isSignedIn || post !== null,
            name: 'office',
            role: 'admin',
            csrf: 'token-1',
          },
        });
      }),
    );
    await page.waitForURL(`${site.url}/people`);
    assert.deepEqual(
      sent.map((text) => JSON.parse(text) as unknown),
      [{ token: 'secret-token-1' }],
    );
    const history = await page.evaluate(() => `${location.href} ${document.referrer}`);
    assert.doesNotMatch(history, /secret-/);

    await page.route('**/api/v1/people*', (route) =>
      route.fulfill({ status: 401, json: { code: 'UNAUTHORISED' } }),
    );
    await page.reload(PASSING);
    await page.waitForURL(`${site.url}/signin?next=%2Fpeople`);

    await page.unroute('**/api/v1/people*');
    await page.goto(`${site.url}/signin?next=%2Fpeople#key=secret-key-2`, PASSING);
    await page.waitForURL(`${site.url}/people`);
    assert.equal(sent.length, 2, 'a link that is opened while the page is open signs in, too');

    // Whoever is signed in is asked before that ends.
    isSignedIn = true;
    await page.goto(`${site.url}/signin?next=%2Fpeople#token=another-s`, PASSING);
    await page.getByText(/You are signed in as office\./).waitFor();
    await page.getByRole('button', { name: 'Stay signed in' }).click();
    await page.waitForURL(`${site.url}/people`);
    assert.equal(sent.length, 2);
    await page.goto(`${site.url}/signin?next=%2Fpeople#token=another-s`, PASSING);
    await page.getByRole('button', { name: 'Sign in with the link' }).click();
    await page.waitForURL(`${site.url}/people`);
    assert.deepEqual(JSON.parse(sent[2]), { token: 'another-s' });
  });

  it('sends the token of the session with everything but GET', async (t) => {
    const { page } = await visit(t, '/people', {}, enrolOthers);
    await page.route('**/api/v1/session', (route) =>
      route.fulfill({ json: { auth: 'key', signedIn: true, role: 'admin', csrf: 'token-2' } }),
    );
    await page.reload();
    await page.locator('#menu-button').click();
    await page.locator('#new-group').click();
    await page.locator('dialog #new-groupid').fill('night');
    const asked = page.waitForRequest((request) => request.method() === 'POST');
    await page.locator('dialog button[type="submit"]').click();
    assert.equal((await asked).headers()['x-csrf-token'], 'token-2');
  });

  it('has no accessibility finding on any page, light or dark, in either language', async (t) => {
    const found: string[] = [];
    for (const locale of LOCALES) {
      const { page, site } = await visit(t, '/people', { locale, reducedMotion: 'reduce' }, enrolOthers);
      await stubStatus(page);
      for (const path of ['/', '/add', '/people', '/status', '/signin']) {
        await page.goto(site.url + path);
        if (path === '/') await face(page, 'Hana Abe').click();
        if (path === '/people') await card(page, 'default-ken').click();
        if (path === '/add') await page.locator('#guide li[data-state="good"]').first().waitFor();
        found.push(...(await axeFindings(page, `${locale} ${path}`)));
      }
    }
    assert.deepEqual(found, []);
  });

  it('fits a screen 320 pixels wide', async (t) => {
    const { page, site } = await visit(t, '/people', { viewport: { width: 320, height: 640 } }, enrolOthers);
    await stubStatus(page);
    for (const path of ['/add', '/people', '/status', '/signin', '/']) {
      await page.goto(site.url + path, { waitUntil: 'networkidle' }).catch(() => undefined);
      await assertFits(page, path);
    }
  });
});

/** Answers of a server at work. */
function stubStatus(page: Page): Promise<unknown> {
  const stage = (p50: number, p95: number) => ({ count: 100, p50, p95 });
  return page.route('**/api/v1/status', (route) =>
    route.fulfill({
      json: {
        version: '0.1.0',
        uptime: 4000,
        pid: 1,
        workers: 2,
        pack: 'tiny',
        title: 'A pack for tests',
        offer: { title: 'A better one', command: 'npm run reembed -- --from tiny --to best' },
        provider: 'cpu',
        refusedProviders: [],
        vision: { threads: 2, queued: 1, running: 2, kernels: 'avx512' },
        gallery: { people: 3, faces: 4, groups: 2, index: 'exact' },
        trouble: [{ what: 'gallery', message: 'The disk is full.' }],
        damaged: [{ what: 'default-ken/a.npy', reason: 'it is empty' }],
        requests: { total: 1234, errors: 0, perSecond: 8.5 },
        stages: {
          queue: stage(1, 3),
          decode: stage(4, 6),
          detect: stage(61, 90),
          embed: stage(30, 44),
          search: stage(0.2, 0.4),
        },
        memory: { rss: 300e6 },
        eventLoop: { p99: 2 },
      },
    }),
  );
}
