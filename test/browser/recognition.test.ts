import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { KaomonError } from '../../src/platform/errors.js';
import { enrolByVector, openAppSite } from './support/app-site.js';
import { CHROMIUM_MISSING } from './support/browser.js';
import { browserForSuite, face, assertFits, KEN, SIZES, STRANGER } from './support/visit.js';

describe('the recognition page', { skip: CHROMIUM_MISSING }, () => {
  const visit = browserForSuite();

  for (const [size, options] of Object.entries(SIZES)) {
    it(`recognise on a ${size}: names, who it is, freeze, save`, async (t) => {
      const { page, faults } = await visit(t, '/', options);
      await face(page, 'Ken Mori').waitFor();
      await face(page, 'Unknown face').waitFor();
      await page.locator('#way', { hasText: 'WebSocket' }).waitFor();
      await assertFits(page);

      // The face itself is tapped, mirrored as it is shown.
      const stage = await page.locator('canvas.overlay').boundingBox();
      assert.ok(stage);
      const spot = { x: stage.x + (1 - KEN.x) * stage.width, y: stage.y + KEN.y * stage.height };
      await page.mouse.click(spot.x, spot.y);
      const dialog = page.locator('dialog.who');
      await dialog.getByText('2 pictures').waitFor();
      assert.match((await dialog.textContent()) ?? '', /Ken Mori.*certain.*Default.*ken/);
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });

      await page.keyboard.press('f');
      assert.equal(await page.locator('#freeze').getAttribute('aria-pressed'), 'true');
      const download = page.waitForEvent('download');
      await page.locator('#save').click();
      assert.match((await download).suggestedFilename(), /^kaomon-[\d-]+\.jpg$/);
      assert.deepEqual(faults, []);
    });
  }

  it('draws landmarks when asked to', async (t) => {
    const { page, site } = await visit(t, '/');
    await face(page, 'Ken Mori').waitFor();
    await page.locator('#landmarks').click();
    await page.waitForFunction(countArcs);
    assert.ok(site.vision.asked.length > 0);
  });

  it('enrols an unknown face from where it stands', async (t) => {
    const { page, site, faults } = await visit(t, '/');
    await face(page, 'Unknown face').click();
    await page.locator('dialog #username').fill('Hana Abe');
    await page.locator('dialog #more summary').click();
    await page.locator('dialog #userid').fill('hana');
    site.found = [STRANGER, KEN];
    await page.locator('dialog #enrol').click();
    await face(page, 'Hana Abe').waitFor();
    assert.equal((await site.gallery.person('default-hana'))?.faces.length, 1);
    assert.deepEqual(faults, []);
  });

  it('goes on drawing between the answers of a server that takes 400 ms', async (t) => {
    const { page, site } = await visit(t, '/', {}, watchDrawing);
    await face(page, 'Ken Mori').waitFor();
    site.delay = 400;
    let to = 0;
    const sway = setInterval(() => (site.found = [{ ...KEN, x: 0.3 + 0.03 * (to++ % 2) }]), 400);
    t.after(() => clearInterval(sway));
    await page.evaluate(() => Object.assign(window, { drawn: [], answered: [], from: performance.now() }));
    await page.waitForFunction(() => (window as unknown as Watched).answered.length >= 8);
    const { drawn, answered, seconds } = await page.evaluate(() => {
      const { drawn, answered, from } = window as unknown as Watched;
      return { drawn, answered, seconds: (performance.now() - from) / 1000 };
    });
    t.diagnostic(
      `${(drawn.length / seconds).toFixed(1)} drawings a second, ${(answered.length / seconds).toFixed(1)} answers`,
    );
    // Two frames are in flight, so that answers may come in pairs: it is their sum that tells.
    assert.ok(drawn.length >= 2 * answered.length, `${drawn.length} drawings, ${answered.length} answers`);
    // The face sways between two places: whatever lies in between was drawn between answers.
    const places = new Set(drawn.map(([, x]) => x.toFixed(1)));
    assert.ok(places.size >= 4, `the box moves between answers: ${places.size} places`);
  });

  it('sends frames singly where the WebSocket is not to be had', async (t) => {
    const { page } = await visit(t, '/', {}, (tab) =>
      tab.routeWebSocket(/stream/, (socket) => void socket.close({ code: 1011 })),
    );
    await face(page, 'Ken Mori').waitFor();
    assert.equal(await page.locator('#way').textContent(), 'single requests');
  });

  it('says what keeps the camera away, and tries again', async (t) => {
    const troubles = [
      ['NotAllowedError', 'camera-refused', /blocked/],
      ['NotReadableError', 'camera-busy', /in use/],
      ['NotFoundError', 'camera-missing', /No camera/],
    ] as const;
    const { page } = await visit(t, '/', {}, (tab) =>
      tab.addInitScript(() => {
        const real = MediaDevices.prototype as { getUserMedia: (wish?: object) => Promise<MediaStream> };
        const open = real.getUserMedia;
        Object.assign(window, { trouble: 'NotAllowedError' });
        real.getUserMedia = function (wish) {
          const { trouble } = window as unknown as { trouble: string };
          return trouble ? Promise.reject(new DOMException('no', trouble)) : open.call(this, wish);
        };
      }),
    );
    for (const [i, [, kind, says]] of troubles.entries()) {
      const notice = page.locator(`.notice[data-kind="${kind}"]`);
      await notice.waitFor();
      assert.match((await notice.textContent()) ?? '', says);
      await page.evaluate((trouble) => Object.assign(window, { trouble }), troubles.at(i + 1)?.[0] ?? '');
      await notice.getByRole('button').click();
    }
    await face(page, 'Ken Mori').waitFor();
    assert.equal(await page.locator('.notice').isVisible(), false);
  });

  it('says that the camera is refused where the browser refuses it, and that a page is not secure', async (t) => {
    const { page } = await visit(t, '/', { permissions: [] });
    await page.locator('.notice[data-kind="camera-refused"]').waitFor();
    const { page: other } = await visit(t, '/', {}, (tab) =>
      tab.addInitScript(() => Reflect.deleteProperty(Navigator.prototype, 'mediaDevices')),
    );
    await other.locator('.notice[data-kind="camera-insecure"]').waitFor();
  });

  it('says that the server is busy, gone and back', async (t) => {
    const { page, site } = await visit(t, '/');
    await face(page, 'Ken Mori').waitFor();
    site.vision.failure = new KaomonError('BUSY', 'The queue is full.', { retryAfter: 1 });
    await page.locator('.notice[data-kind="server-busy"]').waitFor();
    site.vision.failure = undefined;
    await page.locator('.notice').waitFor({ state: 'hidden' });

    await site.stop();
    await page.locator('.notice[data-kind="server-gone"]').waitFor();
    assert.equal(await page.locator('#faces button').count(), 0);
    const again = await openAppSite(t, { port: site.port });
    await enrolByVector(again, { userid: 'ken', username: 'Ken again', distance: 0 });
    again.found = [KEN];
    await page.locator('.toast.good').waitFor();
    await face(page, 'Ken again').waitFor();
  });

  it('speaks the language of the browser, and the other by the switch', async (t) => {
    const { page } = await visit(t, '/', { locale: 'ja-JP' });
    await face(page, '未登録の顔').waitFor();
    assert.equal(await page.locator('html').getAttribute('lang'), 'ja');
    await page.locator('#language').click();
    await face(page, 'Unknown face').waitFor();
    await page.locator('nav a[href="/people"]').click();
    await page.locator('h1', { hasText: 'People' }).waitFor();
  });
});

interface Watched {
  /** Milliseconds, and where the first box was drawn. */
  drawn: [at: number, x: number][];
  answered: number[];
  from: number;
}

/** Notes each clearing of the overlay with the box that follows, and each answer on the WebSocket. */
function watchDrawing(page: Page): Promise<unknown> {
  return page.addInitScript(() => {
    Object.assign(window, { drawn: [], answered: [], from: 0 });
    const watched = window as unknown as Watched;
    const brush = CanvasRenderingContext2D.prototype as unknown as {
      roundRect: (...args: [x: number, ...rest: number[]]) => void;
      clearRect: (...args: number[]) => void;
    };
    const { roundRect, clearRect } = brush;
    let cleared = false;
    brush.clearRect = function (...args) {
      cleared = true;
      clearRect.apply(this, args);
    };
    brush.roundRect = function (...args) {
      if (cleared) watched.drawn.push([performance.now(), args[0]]);
      cleared = false;
      roundRect.apply(this, args);
    };
    const Socket = window.WebSocket;
    window.WebSocket = class extends Socket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols);
        this.addEventListener('message', () => watched.answered.push(performance.now()));
      }
    };
  });
}

/** Landmarks are the only circles: there are some on the overlay when blue is among its pixels. */
function countArcs(): boolean {
  const canvas = document.querySelector<HTMLCanvasElement>('canvas.overlay');
  const pixels = canvas?.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
  for (let i = 0; i < pixels.length; i += 4) {
    if (pixels[i] === 110 && pixels[i + 1] === 198 && pixels[i + 2] === 255) return true;
  }
  return false;
}
