import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { until } from '../support/until.js';
import type { AppSite, Found } from './support/app-site.js';
import { enrolByVector, openAppSite } from './support/app-site.js';
import { CHROMIUM_MISSING } from './support/browser.js';
import { countAnswers, drawing, overlaps, watchDrawings } from './support/drawn.js';
import { browserForSuite, face, assertFits, KEN, STRANGER } from './support/visit.js';

/** 32 people in four rows. */
const CROWD: Found[] = Array.from({ length: 32 }, (_, i) => ({
  x: 0.07 + (i % 8) * 0.123,
  y: 0.16 + Math.floor(i / 8) * 0.22,
  scale: 0.22 + (i % 3) * 0.05,
  distance: i % 5 === 0 ? 0.02 : 2,
}));

const state = (page: Page, name: string) => page.locator(`#state[data-state="${name}"]`);
const order = (page: Page) =>
  page.locator('#faces button').evaluateAll((rows) => rows.map((row) => (row as HTMLElement).dataset.faceid));

/** A key of this role is signed in. */
const signInAs = (role: string) => (page: Page) =>
  page.route('**/api/v1/session', (route) =>
    route.fulfill({ json: { auth: 'key', signedIn: true, name: 'door', role, groups: null } }),
  );

describe('the stage', { skip: CHROMIUM_MISSING }, () => {
  const visit = browserForSuite();

  it('writes 32 labels over no face and over no other label', async (t) => {
    const { page, faults } = await visit(t, '/', {}, async (tab, site) => {
      site.found = CROWD;
      await watchDrawings(tab);
    });
    await page.locator('#faces button').nth(31).waitFor();
    await page.waitForFunction(() => {
      const { drawn } = window as unknown as { drawn: { faces: unknown[]; labels: unknown[] } };
      return drawn.faces.length === 32 && drawn.labels.length >= 30;
    });
    for (let round = 0; round < 10; round++) {
      const { faces, labels } = await drawing(page);
      assert.deepEqual(overlaps(labels, faces), [], 'no label over a face');
      assert.deepEqual(overlaps(labels, labels), [], 'no label over another');
    }
    assert.deepEqual(faults, []);
  });

  it('draws no more than is answered while nobody moves, and draws again at once when somebody does', async (t) => {
    const { page, site } = await visit(t, '/', {}, async (tab) => {
      await tab.addInitScript(() => {
        const counted = { drawings: 0 };
        Object.assign(window, { counted });
        const brush = CanvasRenderingContext2D.prototype;
        // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its context below
        const clear = brush.clearRect;
        brush.clearRect = function (...area) {
          if (this.canvas.classList.contains('overlay')) counted.drawings += 1;
          clear.apply(this, area);
        };
      });
      await countAnswers(tab);
      await watchDrawings(tab);
    });
    await face(page, 'Ken Mori').waitFor();
    // Boxes come to rest within some answers.
    const further = (answers: number) =>
      page.evaluate(async (wanted) => {
        const now = window as unknown as { answers: number; counted: { drawings: number } };
        const before = { answers: now.answers, drawings: now.counted.drawings };
        while (now.answers < before.answers + wanted) await new Promise(requestAnimationFrame);
        return {
          answers: now.answers - before.answers,
          drawings: now.counted.drawings - before.drawings,
        };
      }, answers);
    await further(20);
    const { answers, drawings } = await further(20);
    assert.ok(drawings <= answers + 2, `${drawings} drawings for ${answers} answers`);
    site.found = [{ ...KEN, x: 0.6 }];
    const before = (await drawing(page)).faces[0][0];
    await page.waitForFunction(
      (x) => Math.abs((window as unknown as { drawn: { faces: number[][] } }).drawn.faces[0]?.[0] - x) > 50,
      before,
    );
  });

  it('keeps a box inside the frame while its face grows beyond it', async (t) => {
    const { page, site } = await visit(t, '/', {}, watchDrawings);
    await face(page, 'Ken Mori').waitFor();
    for (let scale = 1; scale < 12; scale *= 1.15) {
      site.found = [{ ...KEN, x: 0.5, scale }];
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(done)));
      const { faces } = await drawing(page);
      const stage = await page.locator('canvas.overlay').evaluate((canvas) => ({
        width: canvas.clientWidth,
        height: canvas.clientHeight,
      }));
      for (const [x, y, width, height] of faces) {
        assert.ok(x >= -0.5 && y >= -0.5, `${x} ${y}`);
        assert.ok(x + width <= stage.width + 0.5 && y + height <= stage.height + 0.5, `${width} ${height}`);
      }
    }
  });

  it('keeps the rows of the list where they are', async (t) => {
    const { page, site } = await visit(t, '/');
    await page.locator('#faces button').nth(1).waitFor();
    const before = await order(page);
    site.found = [STRANGER, KEN];
    const answers = await page.locator('#round-trip').textContent();
    await page.waitForFunction(
      (text) => document.querySelector('#round-trip')?.textContent !== text,
      answers,
    );
    assert.deepEqual(await order(page), before);
    // The stranger leaves: the row says so before it goes.
    site.found = [KEN];
    await face(page, 'Unknown face').getByText('Has left').waitFor();
    assert.deepEqual(await order(page), before);
    await face(page, 'Unknown face').waitFor({ state: 'detached' });
    assert.equal(await page.locator('#faces button').count(), 1);
  });

  it('shows thumbnails, and marks a face and its row together', async (t) => {
    const { page, faults } = await visit(t, '/', {}, watchDrawings);
    await face(page, 'Ken Mori').waitFor();
    await face(page, 'Unknown face').waitFor();
    await page.waitForFunction(() => {
      const canvas = document.querySelector<HTMLCanvasElement>('#faces [data-faceid=""] canvas');
      return canvas?.getContext('2d')?.getImageData(56, 56, 1, 1).data[3] === 255;
    });
    await face(page, 'Ken Mori').focus();
    await page.waitForFunction(() => (window as unknown as { drawn: { pointed: boolean } }).drawn.pointed);
    await page.locator('#freeze').focus();
    await page.waitForFunction(() => !(window as unknown as { drawn: { pointed: boolean } }).drawn.pointed);
    const stage = await page.locator('canvas.overlay').boundingBox();
    assert.ok(stage);
    await page.mouse.move(stage.x + (1 - KEN.x) * stage.width, stage.y + KEN.y * stage.height);
    await page.locator('#faces button.pointed[data-faceid="default-ken"]').waitFor();
    await page.mouse.move(stage.x + 5, stage.y + 5);
    await page.locator('#faces button.pointed').waitFor({ state: 'detached' });
    assert.deepEqual(faults, []);
  });

  it('tells "looking", "nobody", "paused" and an outage apart, and comes back', async (t) => {
    const { page, site } = await visit(t, '/', {}, (_tab, there) => (there.found = []));
    await state(page, 'nobody').waitFor();
    assert.equal(await page.locator('#state').textContent(), 'No face in the picture.');

    // An answer that does not come is no answer that nobody is there.
    site.delay = 12_000;
    await state(page, 'looking').waitFor();
    assert.equal(await page.locator('#state').textContent(), 'Looking…');
    site.delay = 0;
    site.found = [KEN, STRANGER];
    await state(page, 'faces').waitFor();
    await page.locator('#state', { hasText: '2 faces' }).waitFor();

    await page.keyboard.press('f');
    await state(page, 'paused').waitFor();
    await site.stop();
    await page.locator('#stage[data-server="gone"]').waitFor();
    await state(page, 'paused').waitFor();
    assert.equal(await page.locator('.notice').isVisible(), false, 'a frozen picture needs no server');
    assert.equal(await face(page, 'Ken Mori').count(), 1);

    await page.keyboard.press('f');
    await state(page, 'server-away').waitFor();
    await page.locator('.notice[data-kind="server-gone"]').waitFor();
    assert.equal(await page.locator('#faces button').count(), 0);
    assert.doesNotMatch((await page.locator('#announcer').textContent()) ?? '', /Nobody/);

    const again = await openAppSite(t, { port: site.port });
    await enrolByVector(again, { userid: 'ken', username: 'Ken again', distance: 0 });
    again.found = [KEN];
    await face(page, 'Ken again').waitFor();
    await state(page, 'faces').waitFor();
  });

  it('says nothing of faces while the camera is refused', async (t) => {
    const { page } = await visit(t, '/', { permissions: [] });
    await page.locator('.notice[data-kind="camera-refused"]').waitFor();
    await state(page, 'no-camera').waitFor();
    const said = await page.locator('main').textContent();
    assert.doesNotMatch(said ?? '', /No face in the picture|Nobody/);
  });

  it('offers no enrolment to a key that may only recognise', async (t) => {
    const { page, faults } = await visit(t, '/', {}, signInAs('recognise'));
    await face(page, 'Unknown face').waitFor();
    assert.doesNotMatch((await page.locator('#faces').textContent()) ?? '', /Enrol/);
    await face(page, 'Unknown face').click();
    await page.locator('dialog.who').getByText('Nobody who is enrolled looks like this.').waitFor();
    assert.equal(await page.locator('dialog :is(#enrol, input, form)').count(), 0);
    await page.keyboard.press('Escape');
    await face(page, 'Ken Mori').click();
    await page.locator('dialog.who').getByText('2 pictures').waitFor();
    assert.equal(await page.locator('dialog :is(#add-view, #not-this-person)').count(), 0);
    assert.deepEqual(faults, []);
  });

  it('shows who it is beside what is seen, adds the view, and enrols somebody who was taken for another', async (t) => {
    const { page, site, faults } = await visit(t, '/');
    await face(page, 'Ken Mori').click();
    const dialog = page.locator('dialog.who');
    await dialog.getByText('Seen now').waitFor();
    await dialog.getByText('2 pictures').waitFor();
    assert.equal(await dialog.locator('#to-person').getAttribute('href'), '/people?person=default-ken');
    site.found = [KEN];
    await dialog.locator('#add-view').click();
    await dialog.getByText('3 pictures').waitFor();
    assert.equal((await site.gallery.person('default-ken'))?.faces.length, 3);

    site.found = [{ ...KEN, distance: 2 }];
    await dialog.locator('#not-this-person').click();
    await page.locator('dialog img.preview').waitFor();
    assert.equal(await page.locator('dialog').count(), 1);
    await page.locator('dialog #enrol').waitFor();
    // It is kept, and taken back where it was a mistake.
    await page.getByText('This face will no longer be called Ken Mori.').waitFor();
    assert.equal(site.gallery.corrections({ faceid: 'default-ken' }).length, 1);
    await page
      .locator('.toast', { hasText: 'no longer be called' })
      .getByRole('button', { name: 'Undo' })
      .click();
    await expectNone(site);
    assert.deepEqual(faults, []);
  });

  it('says in words why a view is not added', async (t) => {
    const { page, site } = await visit(t, '/');
    await face(page, 'Ken Mori').click();
    await page.route('**/api/v1/people/default-ken/faces', (route) =>
      route.fulfill({ status: 409, json: { code: 'OTHER_PERSON', message: 'x', details: {} } }),
    );
    await page.locator('#add-view').click();
    await page.locator('dialog .outcome.bad', { hasText: 'enrolled under another person' }).waitFor();
    assert.equal((await site.gallery.person('default-ken'))?.faces.length, 2);
  });

  it('has no accessibility finding in the dialogs, in both languages, light and dark', async (t) => {
    const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
    for (const locale of ['en-GB', 'ja-JP']) {
      for (const colorScheme of ['light', 'dark'] as const) {
        const { page } = await visit(t, '/', { locale, colorScheme, reducedMotion: 'reduce' });
        for (const row of ['default-ken', '']) {
          await page.locator(`#faces button[data-faceid="${row}"]:not(.left)`).click();
          await page.locator('dialog.who button').nth(1).waitFor();
          await page.evaluate(axe);
          const found = await page.evaluate(async () => {
            interface Results {
              violations: { id: string; nodes: { target: string[] }[] }[];
            }
            const { violations } = await (
              window as unknown as { axe: { run: () => Promise<Results> } }
            ).axe.run();
            return violations.map(
              ({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join()}`,
            );
          });
          assert.deepEqual(found, [], `${locale} ${colorScheme} ${row}`);
          await page.keyboard.press('Escape');
          await page.locator('dialog').waitFor({ state: 'detached' });
        }
      }
    }
  });

  it('shows a wall display: edge to edge, controls that hide and come back, the screen kept on', async (t) => {
    const { page, faults } = await visit(t, '/', { viewport: { width: 1280, height: 720 } }, (tab) =>
      tab.addInitScript(() => {
        const locks: string[] = [];
        const request = (kind: string) => {
          locks.push(kind);
          return Promise.resolve({ released: false, release: () => Promise.resolve() });
        };
        Object.assign(window, { locks });
        Object.defineProperty(navigator, 'wakeLock', { value: { request } });
      }),
    );
    await face(page, 'Ken Mori').waitFor();
    await page.keyboard.press('w');
    await page.locator('body.wall').waitFor();
    const stage = await page.locator('canvas.overlay').boundingBox();
    const screen = await page.evaluate(() => ({ width: window.innerWidth, height: window.innerHeight }));
    assert.deepEqual(stage, { x: 0, y: 0, ...screen });
    assert.equal(await page.locator('header').isVisible(), false);
    assert.deepEqual(await page.evaluate(() => (window as unknown as { locks: string[] }).locks), ['screen']);
    await assertFits(page);
    await page.locator('body.idle').waitFor();
    await page.mouse.move(300, 300);
    await page.locator('body:not(.idle)').waitFor();
    await page.keyboard.press('f');
    await page.locator('#wall-state', { hasText: 'Paused' }).waitFor();
    await page.keyboard.press('w');
    await page.locator('body:not(.wall)').waitFor();
    assert.equal(await page.locator('header').isVisible(), true);
    assert.deepEqual(faults, []);
  });

  it('says the name of somebody known who comes, once, when that was chosen', async (t) => {
    const { page, site } = await visit(t, '/', {}, (tab) =>
      tab.addInitScript(() => {
        const said: string[] = [];
        Object.assign(window, { said });
        speechSynthesis.speak = ({ text }) => void said.push(text);
      }),
    );
    await face(page, 'Ken Mori').waitFor();
    const said = () => page.evaluate(() => (window as unknown as { said: string[] }).said);
    assert.deepEqual(await said(), [], 'off by itself');
    await page.locator('#greeting').selectOption('name');
    await enrolByVector(site, { userid: 'hana', username: 'Hana Abe', distance: 2 });
    await face(page, 'Hana Abe').waitFor();
    await page.waitForFunction(() => (window as unknown as { said: string[] }).said.length >= 2);
    await page.reload();
    assert.equal(await page.locator('#greeting').inputValue(), 'name', 'and remembered');
    await page.waitForFunction(() => (window as unknown as { said: string[] }).said.length >= 1);
    assert.deepEqual((await said())[0].split(', ').sort(), ['Hana Abe', 'Ken Mori']);
  });

  it('takes no key with a modifier, none while something is chosen, and none when switched off', async (t) => {
    const { page } = await visit(t, '/');
    await face(page, 'Ken Mori').waitFor();
    const frozen = () => page.locator('#freeze').getAttribute('aria-pressed');
    await page.keyboard.press('Control+f');
    await page.keyboard.press('Shift+F');
    await page.keyboard.press('Alt+f');
    await page.locator('#camera').focus();
    await page.keyboard.press('f');
    assert.equal(await frozen(), 'false');
    await page.locator('#shortcuts').uncheck();
    await page.keyboard.press('f');
    assert.equal(await frozen(), 'false');
    await page.locator('#shortcuts').check();
    await page.keyboard.press('f');
    assert.equal(await frozen(), 'true');
  });
});

const expectNone = ({ gallery }: AppSite) => until(() => gallery.corrections().length === 0);
