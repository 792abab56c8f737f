import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import type { AppSite, Found } from './support/app-site.js';
import { CHROMIUM_MISSING, PHONE } from './support/browser.js';
import { drawScene, PORTRAITS } from './support/portrait.js';
import { browserForSuite, assertFits, KEN, SIZES, STRANGER } from './support/visit.js';

const TURNS = [{}, { yaw: 25 }, { yaw: -25 }, { pitch: -18 }];
const MARI = { x: 0.3, y: 0.52, scale: 0.9, portrait: PORTRAITS.mari, distance: 3.5 };

/**
 * The film is a still; of a camera no two pictures have the same bytes. The end of each says when it was taken, so that the
 * server of the test knows who was before the camera then.
 */
async function noisyCamera(page: Page): Promise<void> {
  await page.addInitScript(() => {
    let taken = 0;
    const { prototype } = HTMLCanvasElement;
    // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its canvas below
    const original = prototype.toBlob;
    prototype.toBlob = function (done, ...rest) {
      const end = `${String(++taken).padStart(6)}@${Date.now()}`;
      const marked = (blob: Blob) => new Blob([blob, end], { type: blob.type });
      original.call(this, (blob) => done(blob && marked(blob)), ...rest);
    };
  });
}

/** Changes who is before the camera; pictures that were taken before still show whom they showed. */
function stepIn(site: AppSite, found: Found[]): void {
  const before = { found: site.found, until: Date.now(), foundIn: site.foundIn };
  site.foundIn = (bytes) => {
    const at = /@(\d{13})$/.exec(Buffer.from(bytes.slice(-20)).toString('latin1'))?.[1];
    if (at === undefined || Number(at) > before.until) return undefined;
    return before.foundIn(bytes) ?? before.found;
  };
  site.found = found;
}

/** A browser that is slow to make a picture: from `holdPictures()` on none is done before `releasePictures()`. */
async function slowCamera(page: Page): Promise<void> {
  await page.addInitScript(() => {
    let held: (() => void)[] | undefined;
    const { prototype } = HTMLCanvasElement;
    // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its canvas below
    const original = prototype.toBlob;
    prototype.toBlob = function (done, ...rest) {
      original.call(this, (blob) => (held ? held.push(() => done(blob)) : done(blob)), ...rest);
    };
    Object.assign(window, {
      holdPictures: () => (held = []),
      releasePictures() {
        const done = held ?? [];
        held = undefined;
        for (const tell of done) tell();
      },
    });
  });
}

const pictures = (page: Page) => page.locator('#pictures li');

async function begin(page: Page, name: string): Promise<void> {
  await page.locator('#stage[data-camera="live"]').waitFor();
  await page.locator('#username').fill(name);
  await page.keyboard.press('Enter');
}

const file = async (name: string, ...places: Parameters<typeof drawScene>[0]) => ({
  name,
  mimeType: 'image/png',
  buffer: await drawScene(places),
});

describe('the enrolment page', { skip: CHROMIUM_MISSING }, () => {
  const visit = browserForSuite();

  for (const [size, options] of Object.entries(SIZES)) {
    it(`enrols on a ${size}: nothing before Start, then a picture for each way the head turns`, async (t) => {
      const { page, site, faults } = await visit(t, '/add', options, noisyCamera);
      site.found = [STRANGER];
      await page.locator('#guide li[data-state="good"]').nth(5).waitFor();
      assert.equal(await pictures(page).count(), 0, 'none was taken before Start');
      assert.equal(await page.locator('#enrol').isVisible(), false);
      await begin(page, 'Hana Abe');
      for (const [i, turn] of TURNS.entries()) {
        site.found = [{ ...STRANGER, ...turn }];
        await pictures(page).nth(i).waitFor();
      }
      assert.equal(await page.locator('.oval [data-state="filled"]').count(), 4);
      await assertFits(page);
      await page.locator('#enrol').click();
      await page.locator('.outcome.good').waitFor();
      assert.match((await page.locator('#outcome').textContent()) ?? '', /Hana Abe.*4 pictures/);
      assert.equal((await site.gallery.person('default-hana_abe'))?.faces.length, 4);
      await page.locator('#next').click();
      assert.equal(await pictures(page).count(), 0);
      assert.equal(await page.locator('#username').inputValue(), '');
      assert.deepEqual(faults, []);
    });
  }

  it('clears the tray when another face steps in, says so, and waits for Start', async (t) => {
    const { page, site } = await visit(t, '/add', {}, noisyCamera);
    site.found = [STRANGER];
    await begin(page, 'Hana Abe');
    await pictures(page).first().waitFor();
    stepIn(site, [MARI]);
    await page.locator('#swap').waitFor();
    assert.match((await page.locator('#swap [role="alert"]').textContent()) ?? '', /Another face.*1 picture/);
    assert.equal(await pictures(page).count(), 0);
    await page.waitForTimeout(2500);
    assert.equal(await pictures(page).count(), 0, 'none of the other face');
    await page.locator('#put-back').click();
    assert.equal(await pictures(page).count(), 1);
  });

  it('goes on when the same person comes back, under another track', async (t) => {
    const { page, site } = await visit(t, '/add', {}, noisyCamera);
    site.found = [STRANGER];
    await begin(page, 'Hana Abe');
    await pictures(page).first().waitFor();
    // A picture of the last second before a face went would count as doubtful.
    await page.waitForTimeout(1500);
    site.found = [];
    await page.locator('#guide li[data-check="found"][data-state="bad"]').waitFor();
    site.found = [{ ...STRANGER, x: 0.3, yaw: 25 }];
    await pictures(page).nth(1).waitFor();
    assert.equal(await page.locator('#swap').isVisible(), false);
  });

  it('takes the first picture again when the server fell silent while it was being made', async (t) => {
    const { page, site } = await visit(t, '/add', {}, slowCamera);
    site.found = [STRANGER];
    await page.locator('#username').fill('Hana Abe');
    await page.locator('#guide li[data-check="found"][data-state="good"]').waitFor();
    // At once, before the guide takes one.
    await page.evaluate(() => {
      (window as unknown as { holdPictures: () => void }).holdPictures();
      for (const id of ['start', 'capture']) document.getElementById(id)?.click();
    });
    await page.locator('#stage[data-state="looking"]').waitFor();
    await page.evaluate(() => (window as unknown as { releasePictures: () => void }).releasePictures());
    await pictures(page).first().waitFor();
  });

  it('asks before Enrol whether it is somebody who is enrolled, and adds the pictures there', async (t) => {
    const { page, site } = await visit(t, '/add', {}, noisyCamera);
    site.found = [KEN];
    await begin(page, 'Kenji');
    const question = page.locator('#question');
    await question.waitFor();
    assert.match((await question.textContent()) ?? '', /This is Ken Mori already/);
    assert.equal(await page.locator('#enrol').isVisible(), false);
    await pictures(page).first().waitFor();
    await page.locator('#add-to-them').click();
    await page.locator('#enrol').click();
    await page.locator('.outcome.good').waitFor();
    assert.equal((await site.gallery.person('default-ken'))?.faces.length, 3);
    assert.equal((await site.gallery.person('default-ken'))?.username, 'Ken Mori');
    assert.equal(await site.gallery.person('default-kenji'), undefined);
  });

  it('takes a file under a second name when the user says that it is somebody else', async (t) => {
    const { page, site } = await visit(t, '/add');
    site.found = [KEN];
    await page.locator('#files').setInputFiles(await file('ken.png', KEN));
    await page.locator('#somebody-else').click();
    await page.locator('#username').fill('Ken’s twin');
    await page.locator('#enrol').click();
    await page.locator('.outcome.good').waitFor();
    assert.equal((await site.gallery.person('default-ken_s_twin'))?.faces.length, 1);
  });

  it('lets the face be chosen in a file with several people', async (t) => {
    const { page, site } = await visit(t, '/add');
    site.found = [STRANGER, { ...MARI, scale: 0.8 }];
    await page.locator('#files').setInputFiles(await file('two.png', STRANGER, MARI));
    await page.locator('#troubles .face-choice').first().click();
    await page.locator('#pictures li[data-state="waiting"]').waitFor();
    await page.locator('#username').fill('Hana Abe');
    await page.locator('#enrol').click();
    await page.locator('.outcome.good').waitFor();
    assert.equal((await site.gallery.person('default-hana_abe'))?.faces.length, 1);
  });

  it('shows which file is of another person, and offers to leave it out', async (t) => {
    const { page, site } = await visit(t, '/add');
    const people = [STRANGER, { ...STRANGER, scale: 0.95 }, MARI];
    const files = await Promise.all(people.map((one, i) => file(`${i}.png`, one)));
    site.foundIn = (bytes) => {
      const at = files.findIndex(({ buffer }) => buffer.equals(bytes));
      return at < 0 ? undefined : [people[at]];
    };
    await page.locator('#files').setInputFiles(files);
    await page.locator('#pictures li[data-state="waiting"]').nth(2).waitFor();
    await page.locator('#username').fill('Hana Abe');
    await page.locator('#enrol').click();
    await page.locator('#pictures li').nth(2).and(page.locator('[data-state="odd"]')).waitFor();
    assert.match((await page.locator('#troubles').textContent()) ?? '', /Picture 3 .*Distance/);
    await page.locator('#troubles').getByRole('button', { name: 'Leave it out' }).click();
    assert.equal(await page.locator('#troubles li').count(), 0);
    assert.equal((await site.gallery.person('default-hana_abe'))?.faces.length, 2);
  });

  it('keeps pictures ready while the server is away, and stores all of them on Retry', async (t) => {
    const { page, site } = await visit(t, '/add', {}, noisyCamera);
    site.found = [STRANGER];
    await begin(page, 'Hana Abe');
    await pictures(page).first().waitFor();
    site.found = [{ ...STRANGER, yaw: 25 }];
    await pictures(page).nth(1).waitFor();
    await page.route('**/api/v1/people/**', (route) => route.abort());
    await page.locator('#enrol').click();
    await page.locator('.outcome.bad').waitFor();
    assert.equal(await page.locator('#pictures li[data-state="waiting"]').count(), 2);
    await page.unroute('**/api/v1/people/**');
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.locator('.outcome.good').waitFor();
    const stored = await site.gallery.person('default-hana_abe');
    assert.equal(stored?.faces.length, 2);
    assert.equal(await site.gallery.person('default-hana_abe_2'), undefined, 'the person was made once');
  });

  it('takes a Japanese name and counts the ID; an ID in Japanese is explained under the field', async (t) => {
    const { page, site } = await visit(t, '/add', {}, noisyCamera);
    site.found = [STRANGER];
    await page.locator('#more summary').click();
    await page.locator('#userid').fill('花子');
    await begin(page, '山田 花子');
    assert.equal(await page.locator('#userid').getAttribute('aria-invalid'), 'true');
    assert.match((await page.locator('#userid-hint').textContent()) ?? '', /Leave it empty/);
    assert.equal(await page.locator('#userid').evaluate((input) => input === document.activeElement), true);
    await page.locator('#userid').fill('');
    await page.locator('#start').click();
    await pictures(page).first().waitFor();
    await page.locator('#enrol').click();
    await page.locator('.outcome.good').waitFor();
    assert.equal((await site.gallery.person('default-p0002'))?.username, '山田 花子');
  });

  it('enrols by the keyboard alone, and goes to the next person', async (t) => {
    const { page, site } = await visit(t, '/add', {}, noisyCamera);
    site.found = [STRANGER];
    await page.locator('#stage[data-camera="live"]').waitFor();
    await page.locator('#username').focus();
    await page.keyboard.type('Hana Abe');
    await page.keyboard.press('Enter');
    await pictures(page).first().waitFor();
    await page.keyboard.press('Enter');
    await page.locator('.outcome.good').waitFor();
    await page.keyboard.press('Enter');
    assert.equal(await page.locator('#username').evaluate((input) => input === document.activeElement), true);
    assert.equal((await site.gallery.person('default-hana_abe'))?.faces.length, 1);
  });

  it('has name, Start, progress and Enrol on a phone’s screen with the camera', async (t) => {
    const { page, site } = await visit(t, '/add', SIZES.phone, noisyCamera);
    site.found = [STRANGER];
    const inside = async (selector: string) => {
      const box = await page.locator(selector).boundingBox();
      assert.ok(
        box && box.y >= 0 && box.y + box.height <= PHONE.height,
        `${selector} ${JSON.stringify(box)}`,
      );
    };
    for (const part of ['#stage', '#username', '#start']) await inside(part);
    await begin(page, 'Hana Abe');
    await pictures(page).first().waitFor();
    for (const part of ['#stage', '#pictures', '#count', '#enrol']) await inside(part);
  });

  it('says what is wrong with the picture', async (t) => {
    const { page, site } = await visit(t, '/add');
    await page.locator('#guide li[data-check="one"][data-state="bad"]').waitFor();
    site.found = [];
    await page.locator('#guide li[data-check="found"][data-state="bad"]').waitFor();
    site.found = [{ ...STRANGER, scale: 0.2 }];
    await page.locator('#guide li[data-check="large"][data-state="bad"]').waitFor();
  });

  it('refuses one picture of several and stores the others', async (t) => {
    const { page, site } = await visit(t, '/add');
    site.found = [STRANGER];
    const good = await file('a.png', STRANGER);
    const bad = { name: 'b.png', mimeType: 'image/png', buffer: Buffer.from('no picture') };
    await page.locator('#files').setInputFiles([bad, good]);
    await page.locator('#username').fill('Hana');
    await page.locator('#pictures li[data-state="waiting"]').waitFor();
    await page.locator('#enrol').click();
    await page.locator('.outcome.good').waitFor();
    assert.equal(await page.locator('#pictures li[data-state="refused"]').count(), 1);
    assert.equal((await site.gallery.person('default-hana'))?.faces.length, 1);
  });
});
