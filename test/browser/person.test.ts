import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it, type TestContext } from 'node:test';
import type { NewKey } from '../../src/access/keys.js';
import { enrolByVector } from './support/app-site.js';
import { axeFindings, LOCALES } from './support/axe.js';
import { CHROMIUM_MISSING, PHONE } from './support/browser.js';
import { come } from './support/came-by.js';
import { guardedForSuite } from './support/guarded.js';
import { browserForSuite, card, enrolOthers, assertFits } from './support/visit.js';

const SETTINGS = { SIGHTINGS: true, KEEP_SIGHTINGS: true, KEEP_FACES: true } as const;

describe('the page of one person', { skip: CHROMIUM_MISSING }, () => {
  const visit = browserForSuite({ settings: SETTINGS });

  it('shows when somebody was seen last and each visit, and is there again after Reload and Back', async (t) => {
    const { page, site, faults } = await visit(t, '/people', {}, async (tab, to) => {
      await enrolOthers(tab, to);
      await come(
        to,
        { faceid: 'default-ken', at: 1 },
        { faceid: 'default-ken', at: 4, deviceid: 'yard' },
        { faceid: 'staff-mari', at: 6 },
      );
    });
    await card(page, 'default-ken').click();
    await page.locator('.person-visits a').click();
    await page.waitForURL(`${site.url}/people/default-ken`);
    const visits = page.locator('.visit-card');
    const says = async () => {
      await visits.nth(1).waitFor();
      assert.equal(await page.locator('h1').innerText(), 'Ken Mori');
      assert.match(await page.locator('#last-seen').innerText(), /^Last seen .*yard$/);
      assert.equal(await visits.count(), 2, 'nobody else’s');
      assert.deepEqual(await page.locator('.visit-card .when').allInnerTexts(), ['yard', 'door']);
      assert.equal(await page.title(), 'Ken Mori — Kaomon');
    };
    await says();
    await page.reload();
    await says();
    await page.locator('#change').click();
    await page.locator('dialog #rename').waitFor();
    await page.goBack();
    await says();
    const download = page.waitForEvent('download');
    await page.locator('#csv').click();
    const rows = (await readFile(await (await download).path(), 'utf8')).trim().split('\r\n');
    assert.equal(rows.length, 3);
    assert.ok(rows.slice(1).every((row) => row.includes('Ken Mori')));
    assert.deepEqual(faults, []);
  });

  it('stays where it is when its person comes again or is renamed, and says when they are gone', async (t) => {
    const { page, site } = await visit(t, '/people/default-ken', {}, (_tab, to) =>
      come(to, { faceid: 'default-ken', at: 1 }),
    );
    const look = () => page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    const visits = page.locator('.visit-card');
    await visits.waitFor();
    const before = await visits.boundingBox();
    await come(site, { faceid: 'default-ken', at: 5, deviceid: 'yard', isEnded: false });
    await site.gallery.updatePerson('default-ken', { username: 'Ken Mori-Ito' });
    await look();
    await page.locator('#show-new', { hasText: '1 new visit' }).waitFor();
    await page.locator('h1', { hasText: 'Ken Mori-Ito' }).waitFor();
    assert.match(await page.locator('#last-seen').innerText(), /^(Here now|Last seen).*yard$/);
    assert.deepEqual(await visits.boundingBox(), before);
    await page.locator('#show-new').click();
    await page.locator('.visit-card:focus', { hasText: 'yard' }).waitFor();
    await site.gallery.remove('default', 'ken');
    await look();
    await page.locator('h1', { hasText: 'This person is not here' }).waitFor();
    assert.equal(await visits.first().isVisible(), false);
    await page.locator('#elsewhere a').click();
    await page.waitForURL(`${site.url}/people`);
  });

  it('says that there is nobody of that name, whatever the address holds', async (t) => {
    for (const id of ['default-nobody', 'x', encodeURIComponent('山田 花子'), encodeURIComponent('a/b?c')]) {
      const { page, faults, context } = await visit(t, `/people/${id}`);
      await page.locator('h1', { hasText: 'This person is not here' }).waitFor();
      assert.notEqual(await page.locator('#say').innerText(), '');
      assert.deepEqual(await axeFindings(page), []);
      assert.deepEqual(faults, []);
      await context.close();
    }
  });

  it('has no finding of axe and fits a phone, in both languages, with a visit’s dialog', async (t) => {
    for (const locale of LOCALES) {
      const { page, faults } = await visit(
        t,
        '/people/default-ken',
        { locale, viewport: PHONE },
        (_tab, to) => come(to, { faceid: 'default-ken', at: 1 }, { faceid: 'default-ken', at: 4 }),
      );
      const visits = page.locator('.visit-card');
      await visits.nth(1).waitFor();
      assert.deepEqual(await axeFindings(page), []);
      await assertFits(page);
      await visits.first().focus();
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Enter');
      await page.locator('dialog #not-this-person').waitFor();
      assert.equal(await page.locator('dialog #all-visits').count(), 0, 'they are all here');
      assert.deepEqual(await axeFindings(page), []);
      await page.keyboard.press('Escape');
      assert.equal(await visits.nth(1).evaluate((one) => one === document.activeElement), true);
      assert.deepEqual(faults, []);
    }
  });
});

describe('the page of one person for a key that is tied to groups', { skip: CHROMIUM_MISSING }, () => {
  const visit = guardedForSuite(SETTINGS);
  const FLOOR: NewKey = { name: 'floor', role: 'recognise', groups: ['staff'] };
  const tied = async (t: TestContext, path: string) => {
    const { page } = await visit(t, FLOOR, path, {}, async (site) => {
      await enrolByVector(site, { userid: 'hana', username: 'Hana Abe', distance: 2 });
      await enrolByVector(site, { groupid: 'staff', userid: 'mari', username: 'Mari Ito', distance: 1 });
      await come(site, { faceid: 'staff-mari', at: 1 }, { faceid: 'default-hana', at: 2 });
    });
    return page;
  };

  it('shows its own people, and offers nothing that the key may not do', async (t) => {
    const page = await tied(t, '/people/staff-mari');
    await page.locator('.visit-card').waitFor();
    assert.equal(await page.locator('h1').innerText(), 'Mari Ito');
    assert.equal(await page.locator('#add-pictures, #change').first().isVisible(), false);
    await page.locator('.visit-card').click();
    await page.locator('dialog[open]').waitFor();
    assert.equal(await page.locator('#not-this-person, #remove-visit').count(), 0);
  });

  it('tells nothing of anybody else, not even that they are enrolled', async (t) => {
    const texts: string[] = [];
    for (const id of ['default-hana', 'default-nobody']) {
      const page = await tied(t, `/people/${id}`);
      await page.locator('h1', { hasText: 'This person is not here' }).waitFor();
      assert.equal(await page.getByText('Hana Abe').count(), 0);
      assert.equal(await page.locator('.visit-card').count(), 0);
      texts.push((await page.locator('main').innerText()).replace(id, 'ID'));
    }
    assert.equal(texts[0], texts[1]);
  });
});

describe('the page of one person where no visits are kept', { skip: CHROMIUM_MISSING }, () => {
  const visit = browserForSuite();
  it('shows who it is, and says why there are no visits', async (t) => {
    const { page } = await visit(t, '/people/default-ken');
    await page.locator('#say', { hasText: 'SIGHTINGS=true' }).waitFor();
    assert.equal(await page.locator('h1').innerText(), 'Ken Mori');
    assert.equal(await page.locator('#visits-part').isVisible(), false);
    await page.locator('#change').click();
    await page.locator('dialog #rename').waitFor();
  });
});
