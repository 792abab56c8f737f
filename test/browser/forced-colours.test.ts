import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Locator } from 'playwright-core';
import { CHROMIUM_MISSING } from './support/browser.js';
import { come } from './support/came-by.js';
import { browserForSuite, card, enrolOthers, face } from './support/visit.js';

/** What somebody sees of an element who sees only the system's own colours. */
const look = (element: Locator): Promise<string> =>
  element.evaluate((one) => {
    const style = getComputedStyle(one);
    return [
      ...[style.color, style.backgroundColor, style.textDecorationLine],
      ...[style.borderTopColor, style.borderTopStyle, style.borderTopWidth],
      ...[style.outlineStyle, style.outlineWidth, style.outlineColor],
    ].join(' ');
  });

describe('where the system has its own colours', { skip: CHROMIUM_MISSING }, () => {
  const visit = browserForSuite({ settings: { SIGHTINGS: true, UNKNOWNS_DAYS: 7 } });
  const options = { forcedColors: 'active', colorScheme: 'dark' } as const;

  it('a button that is pressed looks otherwise than one that is not, and so does the chief one', async (t) => {
    const { page, faults } = await visit(t, '/', options);
    await face(page, 'Ken Mori').waitFor();
    const mirror = page.locator('#mirror');
    const before = await look(mirror);
    await mirror.click();
    await page.mouse.move(0, 0);
    assert.notEqual(await look(mirror), before);
    await face(page, 'Ken Mori').click();
    const dialog = page.locator('dialog');
    assert.notEqual(
      await look(dialog.locator('button.primary')),
      await look(dialog.locator('.buttons button:not(.primary)').first()),
    );
    assert.match(await look(dialog), / solid [1-9]/, 'a dialog has an edge');
    assert.deepEqual(faults, []);
  });

  it('the view that is open is told from the other one, and a card from the ground', async (t) => {
    const { page } = await visit(t, '/today', options, (_tab, site) => come(site, { at: 1 }));
    await page.locator('.visit-card').waitFor();
    assert.match(await look(page.locator('#to-visits')), / underline .* solid 2px/);
    assert.doesNotMatch(await look(page.locator('#to-unknowns')), / underline /);
    assert.match(await look(page.locator('.visit-card')), / solid [1-9]/);
  });

  it('somebody who is selected is told from who is not', async (t) => {
    const { page } = await visit(t, '/people', options, enrolOthers);
    await card(page, 'default-ken').waitFor();
    await page.locator('#menu-button').click();
    await page.locator('#select-several').click();
    const boxes = page.locator('#people input[type="checkbox"]');
    await boxes.first().check();
    assert.deepEqual(
      [await boxes.first().isVisible(), await boxes.first().isChecked(), await boxes.nth(1).isChecked()],
      [true, true, false],
    );
  });

  it('focus is seen on every kind of control', async (t) => {
    const { page } = await visit(t, '/add', options);
    await page.locator('#guide li').first().waitFor();
    for (const id of ['#username', '#start', '#camera', '#sound', '#more summary']) {
      const control = page.locator(id);
      const before = await look(control);
      await control.focus();
      await page.keyboard.press('Shift');
      assert.notEqual(await look(control), before, id);
    }
  });
});
