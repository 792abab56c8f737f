import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { axeFindings, LOCALES } from './support/axe.js';
import { CHROMIUM_MISSING, PHONE } from './support/browser.js';
import { browserForSuite, assertFits } from './support/visit.js';

interface ApiDocument {
  paths: Record<string, object>;
}

describe('the page of the API in a browser', { skip: CHROMIUM_MISSING }, () => {
  const visit = browserForSuite();

  it('draws every operation, opens each, and nothing is refused or fetched from elsewhere', async (t) => {
    const { page, site, faults } = await visit(t, '/offline');
    page.on('console', (message) => {
      const isAsked = message.text().includes('blocked by Playwright');
      if (['error', 'warning'].includes(message.type()) && !isAsked) faults.push(message.text());
    });
    page.on('request', (request) => {
      const { origin } = new URL(request.url());
      if (origin !== site.url) faults.push(`asked of ${origin}`);
    });
    await page.goto(`${site.url}/docs`);
    const operations = page.locator('.operation');
    await operations.first().waitFor();
    const { paths } = (await (await page.request.get(`${site.url}/docs/json`)).json()) as ApiDocument;
    const listed = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method}:${path}`),
    );
    const drawn = await operations.evaluateAll((blocks) => blocks.map(({ id }) => id));
    assert.deepEqual(drawn.sort(), listed.sort());
    const empty = await operations.evaluateAll(async (blocks) => {
      for (const block of blocks) (block as HTMLDetailsElement).open = true;
      await new Promise((resolve) => setTimeout(resolve));
      return blocks.filter((block) => !block.querySelector('.command')).map(({ id }) => id);
    });
    assert.deepEqual(empty, []);
    assert.deepEqual(faults, []);
  });

  it('tells of an operation its parameters, bodies, answers and a command, under a link of its own', async (t) => {
    const { page, site } = await visit(t, '/docs#get:/api/v1/people');
    const people = page.locator('[id="get:/api/v1/people"]');
    await people.locator('.described').waitFor();
    assert.equal(await people.locator('summary').evaluate((one) => one === document.activeElement), true);
    const limit = people.locator('.fields > div', { has: page.getByText('limit', { exact: true }) });
    await limit.getByText(/integer · query/).waitFor();
    await people.getByText(`curl '${site.url}/api/v1/people`).waitFor();
    const recognise = page.locator('[id="post:/api/v1/recognise"]');
    await recognise.locator('summary').click();
    await recognise.getByText('-F ').first().waitFor();
    await recognise.getByText('faces[].box', { exact: true }).first().waitFor();
    assert.equal(await page.evaluate(() => location.hash), '#post:/api/v1/recognise');
    // The way back leads past what was opened, and an address that is typed opens what it names.
    await page.goto(`${site.url}/docs#delete:/api/v1/people/%7Bfaceid%7D`);
    await page.locator('[id="delete:/api/v1/people/{faceid}"] .described').waitFor();
  });

  it('finds operations by every word of a search', async (t) => {
    const { page } = await visit(t, '/docs');
    await page.locator('.operation').first().waitFor();
    await page.getByRole('searchbox').fill('delete group');
    const shown = await page.locator('.operation:visible').evaluateAll((all) => all.map(({ id }) => id));
    assert.ok(
      shown.some((id) => id.startsWith('delete:/api/v1/groups/')),
      shown.join(),
    );
    assert.ok(shown.length < 10, shown.join());
    await page.getByRole('searchbox').fill('no such thing');
    await page.getByText('Nothing found').waitFor();
    assert.equal(await page.locator('#operations section:visible').count(), 0);
  });

  it('fits a phone and has no finding of axe, with everything open, light and dark, in both languages', async (t) => {
    // Axe takes a minute for all of them: it looks at some, whose parts are those of all; nobody reads more at once.
    for (const [locale, every] of [
      [LOCALES[0], 8],
      [LOCALES[1], 40],
    ] as const) {
      const { page } = await visit(t, '/docs', { locale, viewport: PHONE });
      await page.locator('.operation').first().waitFor();
      const open = (step: number) =>
        page.locator('.operation').evaluateAll((blocks, nth) => {
          for (const [i, block] of blocks.entries()) (block as HTMLDetailsElement).open = i % nth === 0;
        }, step);
      await open(1);
      await page.locator('.operation[open] .described').last().waitFor();
      await assertFits(page);
      await open(every);
      assert.deepEqual(await axeFindings(page), []);
    }
  });

  it('says so when the server does not answer', async (t) => {
    const { page } = await visit(t, '/docs', {}, (tab) =>
      tab.route('**/docs/json', (route) => route.abort()),
    );
    await page.locator('#say').getByText(/./).waitFor();
  });
});
