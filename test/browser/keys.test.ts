import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import type { NewKey } from '../../src/access/keys.js';
import { CHROMIUM_MISSING } from './support/browser.js';
import { guardedForSuite } from './support/guarded.js';

describe('what a key may, as the pages show it', { skip: CHROMIUM_MISSING }, () => {
  const visit = guardedForSuite();
  const ADMIN: NewKey = { name: 'office', role: 'admin' };

  it('says when a key was used last', async (t) => {
    const { page, site, keys } = await visit(t, ADMIN, '/keys');
    const { key } = await keys.add({ name: 'camera-1', role: 'recognise' });
    await page.reload();
    const row = page.locator('[data-key="camera-1"]');
    await row.getByText('not used lately').waitFor();
    const used = await fetch(`${site.url}/api/v1/groups`, { headers: { 'x-api-key': key } });
    assert.equal(used.status, 200);
    await page.reload();
    const year = String(new Date().getFullYear());
    await row.getByText(`last used`).getByText(year).waitFor();
    assert.equal(await row.getByText('not used lately').count(), 0);
  });

  it('offers on /add only the groups that a key is tied to, and says so of a link to another', async (t) => {
    const groupsOf = (page: Page) => page.locator('#group option').allTextContents();
    const desk: NewKey = { name: 'desk', role: 'enrol', groups: ['staff'] };
    const { page, site, faults } = await visit(t, desk, '/add');
    await page.locator('#group option').first().waitFor({ state: 'attached' });
    assert.deepEqual(await groupsOf(page), ['Staff']);
    assert.equal(await page.locator('#outcome').innerText(), '');
    assert.equal(await page.locator('#start').isEnabled(), true);

    // Somebody sent the link for adding pictures of Ken, who is in a group that this key may not see.
    await page.goto(`${site.url}/add?group=default&userid=ken&username=Ken%20Mori`);
    await page.getByText('This key is not for the group default.').waitFor();
    assert.equal(
      await page.locator('#userid').inputValue(),
      '',
      'in another group the ID would be somebody else’s',
    );
    assert.deepEqual(await groupsOf(page), ['Staff']);
    await page.goto(`${site.url}/add?group=staff&userid=mari&username=Mari%20Ito`);
    await page.locator('#group option').first().waitFor({ state: 'attached' });
    assert.equal(await page.locator('#userid').inputValue(), 'mari');
    assert.equal(await page.locator('#outcome').innerText(), '');
    assert.deepEqual(faults, []);
  });

  it('offers a new group only to who may make one', async (t) => {
    for (const [key, options] of [
      [{ name: 'floor', role: 'admin', groups: ['staff'] }, ['Staff']],
      [ADMIN, ['Default', 'Staff', 'New group…']],
    ] as [NewKey, string[]][]) {
      const { page } = await visit(t, key, '/add');
      await page.locator('#group option').first().waitFor({ state: 'attached' });
      assert.deepEqual(await page.locator('#group option').allTextContents(), options);
    }
  });
});
