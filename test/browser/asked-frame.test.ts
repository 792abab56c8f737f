import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { until } from '../support/until.js';
import { openAppSite } from './support/app-site.js';
import { CHROMIUM_MISSING, openBrowser, openTab } from './support/browser.js';
import { drawing, savedBox, watchDrawings } from './support/drawn.js';
import { CAMERA } from './support/video.js';

/** What stands for a face: a square of a colour that nothing else has, pixels. */
const SQUARE = 60;
/** To and fro, up to 19 pixels a frame: between a frame and its answer it goes a long way. */
const SWAY = Array.from({ length: 40 }, (_, i) => Math.round(120 * Math.sin((i / 40) * 2 * Math.PI)));
/** A server that takes its time. */
const DELAY = 350;
/** A box may be this far from what it was found around: JPEG, rounding, a smaller frame sent. */
const NEAR = 8;

/** The middle of the square in a picture, pixels; NaN without one. Runs here and in the page. */
function middleOf(pixels: ArrayLike<number>, width: number, channels: number): number {
  let sum = 0;
  let count = 0;
  for (let i = 0; i + 2 < pixels.length; i += channels) {
    if (pixels[i] < 180 || pixels[i + 1] > 110 || pixels[i + 2] < 180) continue;
    sum += (i / channels) % width;
    count += 1;
  }
  return sum / count + 0.5;
}

declare const middleInPage: typeof middleOf;

async function middleOfFile(bytes: Buffer): Promise<{ middle: number; width: number }> {
  const { data, info } = await sharp(bytes).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { middle: middleOf(data, info.width, 3), width: info.width };
}

/** The middle of the square on the stage's picture, and of the box around it, both in parts of the stage. */
async function compare(page: Page): Promise<{ square: number; box: number }> {
  const { square, stage } = await page.evaluate(() => {
    const canvas = document.querySelector<HTMLCanvasElement>('canvas.picture');
    if (!canvas) throw new Error('There is no picture.');
    const image = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height);
    const { width, clientWidth } = canvas;
    return { square: middleInPage(image?.data ?? [], width, 4) / width, stage: clientWidth };
  });
  const [[x, , boxWidth]] = (await drawing(page)).faces;
  return { square, box: (x + boxWidth / 2) / stage };
}

describe('the frame that was asked about', { skip: CHROMIUM_MISSING }, () => {
  it('is what is frozen, saved and cut when a face is tapped, while somebody walks', async (t) => {
    const square = Buffer.from(
      `<svg xmlns="http://www.w3.org/2000/svg" width="${CAMERA.width}" height="${CAMERA.height}">
        <rect width="100%" height="100%" fill="#5f6d64"/>
        <rect x="${(CAMERA.width - SQUARE) / 2}" y="150" width="${SQUARE}" height="${SQUARE}" fill="#ff00ff"/></svg>`,
    );
    const site = await openAppSite(t);
    const find = site.vision.analyze.bind(site.vision);
    site.vision.analyze = async (bytes, options) => {
      const { middle, width } = await middleOfFile(Buffer.from(bytes));
      await new Promise((resolve) => setTimeout(resolve, DELAY));
      site.found = [{ x: middle / width, y: 0.5, scale: 0.5, distance: 2 }];
      return find(bytes, options);
    };
    const picture = await sharp(square).png().toBuffer();
    const browser = await openBrowser(t, { picture, shifts: SWAY, rate: 20 });
    const { page, faults } = await openTab(browser);
    // A picture's pixels are too many to be handed over here.
    await page.addInitScript(`window.middleInPage = ${middleOf.toString()}`);
    await watchDrawings(page);
    await page.goto(site.url);
    await page.locator('#faces button').last().waitFor();
    if ((await page.locator('#mirror').getAttribute('aria-pressed')) === 'true')
      await page.keyboard.press('m');

    for (let round = 0; round < 5; round++) {
      await page.keyboard.press('f');
      await page.waitForFunction(
        () => document.querySelector('#stage')?.getAttribute('data-state') === 'paused',
      );
      // Two frames later the picture that stands still has been drawn upon.
      await page.evaluate(
        () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
      );
      const { square: seen, box } = await compare(page);
      assert.ok(Math.abs(seen - box) * CAMERA.width < NEAR, `frozen: the face at ${seen}, its box at ${box}`);
      await page.keyboard.press('f');
      await page.locator('#state[data-state="faces"]').waitFor();
    }

    const download = page.waitForEvent('download');
    await page.locator('#save').click();
    const stream = await (await download).createReadStream();
    const parts: Buffer[] = [];
    for await (const part of stream) parts.push(part as Buffer);
    const { middle } = await middleOfFile(Buffer.concat(parts));
    const box = await savedBox(page);
    assert.ok(box);
    assert.ok(
      Math.abs(middle - (box[0] + box[2] / 2)) < NEAR,
      `saved: the face at ${middle}, its box ${box.join()}`,
    );

    // One who was lost track of for a moment stands there as "has left", too, and is said to have when that comes between.
    const preview = page.locator('dialog img.preview');
    await until(async () => {
      await page.locator('#faces button:not(.left)').first().click();
      return preview.waitFor({ timeout: 3000 }).then(
        () => true,
        () => false,
      );
    });
    const cut = await preview.evaluate(async (image: HTMLImageElement) => {
      await image.decode();
      const canvas = document.createElement('canvas');
      canvas.width = image.naturalWidth;
      canvas.height = image.naturalHeight;
      const context = canvas.getContext('2d');
      context?.drawImage(image, 0, 0);
      const { data } = context?.getImageData(0, 0, canvas.width, canvas.height) ?? { data: [] };
      return { middle: middleInPage(data, canvas.width, 4), width: canvas.width };
    });
    assert.ok(Math.abs(cut.middle - cut.width / 2) < NEAR, `cut: the face at ${cut.middle} of ${cut.width}`);
    assert.deepEqual(faults, []);
  });
});
