import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CHROMIUM_MISSING, openBrowser, openSite, openTab } from './support/browser.js';

interface ApiDocument {
  paths: Record<string, object>;
}

describe('the page of the API in a browser', { skip: CHROMIUM_MISSING }, () => {
  it('draws every operation, opens and tries some, and nothing is refused or fetched from elsewhere', async (t) => {
    const site = await openSite(t);
    const browser = await openBrowser(t);
    const { page, faults } = await openTab(browser);
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) faults.push(message.text());
    });
    page.on('request', (request) => {
      const { protocol, origin } = new URL(request.url());
      if (protocol === 'https:' && origin !== site.url) faults.push(`asked of ${origin}`);
    });
    page.on('response', (response) => {
      if (response.status() >= 400) faults.push(`${response.status()} ${response.url()}`);
    });
    await page.goto(`${site.url}/docs`);
    const operations = page.locator('.opblock');
    await operations.first().waitFor();

    const { paths } = (await site.server.get('/docs/json')).body as ApiDocument;
    const listed = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const drawn = await operations.evaluateAll((blocks) =>
      blocks.map((block) => {
        const [method, path] = ['.opblock-summary-method', '.opblock-summary-path'].map((part) =>
          // Long paths have break points in them.
          (block.querySelector(part)?.textContent ?? '').replaceAll('\u200b', ''),
        );
        return `${method} ${path}`;
      }),
    );
    assert.deepEqual(drawn.sort(), listed.sort());

    // What is drawn only when it is opened: parameters, a form for files, the schemas.
    for (const path of ['/api/v1/recognise', '/api/v1/people/{faceid}', '/api/face_register']) {
      const operation = operations.filter({ has: page.locator(`[data-path="${path}"]`) }).first();
      await operation.locator('.opblock-summary-control').click();
      await operation.locator('.responses-wrapper').waitFor();
    }
    const live = operations.filter({ has: page.locator('[data-path="/api/v1/live"]') });
    await live.locator('.opblock-summary-control').click();
    await live.getByRole('button', { name: 'Execute' }).click();
    await live.locator('.live-responses-table .response-col_status', { hasText: '200' }).waitFor();
    assert.deepEqual(faults, []);
  });
});
