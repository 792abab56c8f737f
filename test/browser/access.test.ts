import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import jsqr from 'jsqr';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import type { NewKey } from '../../src/access/keys.js';
import { createLinks } from '../../src/access/links.js';
import { CHROMIUM_MISSING, openTab, PASSING, PHONE } from './support/browser.js';
import { guardedForSuite } from './support/guarded.js';
import { assertFits } from './support/visit.js';

const decode = jsqr as unknown as typeof import('jsqr').default;

describe('who may what, on the pages', { skip: CHROMIUM_MISSING }, () => {
  const visit = guardedForSuite();
  const RECOGNISE: NewKey = { name: 'door', role: 'recognise' };
  const ADMIN: NewKey = { name: 'office', role: 'admin' };

  it('hides from a key that may only recognise what it may not use, and says so on pages that are not for it', async (t) => {
    const { page, site, faults } = await visit(t, RECOGNISE, '/status');
    await page.locator('#account-button').getByText('door').waitFor();
    assert.equal(await page.locator('nav a[href="/add"]').isVisible(), false);
    for (const path of ['/', '/people', '/status']) {
      await page.goto(site.url + path);
      await page.locator('#account-button').waitFor();
      const refused = await page.evaluate(() =>
        [...document.querySelectorAll<HTMLElement>('[data-needs]')]
          .filter((part) => part.checkVisibility({ checkVisibilityCSS: true }))
          .map((part) => part.outerHTML),
      );
      assert.deepEqual(refused, [], path);
    }
    await page.goto(`${site.url}/keys`);
    await page
      .getByText('This key may only recognise. This page is for administrators of all groups.')
      .waitFor();
    // What the server refuses is said in the same words.
    await page.locator('#account-button').click();
    await page.locator('#account-menu').getByText('This key may only recognise.').waitFor();
    assert.equal(await page.locator('#account-menu a[href="/keys"]').isVisible(), false);
    assert.deepEqual(faults, []);
  });

  it('tells of a key that is not known, one that is cut off, and a link that was used', async (t) => {
    const { page, site, keys, link } = await visit(t, undefined, '/status');
    await page.waitForURL(/\/signin\?next=%2Fstatus$/);
    const typed = page.locator('#key');
    const sent = async (text: string) => {
      await typed.fill(text);
      await typed.press('Enter');
      return page.locator('#say.bad');
    };
    await (await sent(`kao_0123456789_${'a'.repeat(43)}`)).getByText('This key is not known').waitFor();
    await (await sent('kao_0123456789_abc')).getByText('58 characters').waitFor();
    await (await sent('パスワード')).getByText('begins with kao_').waitFor();

    const used = await link();
    await page.goto(used, PASSING);
    await page.waitForURL(`${site.url}/`);
    // A page that finds itself signed out goes to sign in by itself, which would break off the next step.
    await page.goto('about:blank');
    await page.context().clearCookies();
    await page.goto(used, PASSING);
    await page.getByText('This link has been used or has expired.').waitFor();

    // As a Japanese keyboard and a chat would bring it.
    const { key } = await keys.add({ name: 'desk', role: 'enrol' });
    const wide = key.replace('kao', 'ｋａｏ');
    await typed.fill(` ${wide.slice(0, 20)} ${wide.slice(20)} `);
    await typed.press('Enter');
    await page.waitForURL(`${site.url}/`);
  });

  it('signs out by keyboard on every tab, and leaves nothing behind', async (t) => {
    const { page, site, context } = await visit(t, ADMIN, '/people');
    await page.evaluate(() => {
      localStorage.setItem('kaomon.group', 'staff');
      localStorage.setItem('kaomon.camera', 'rear');
    });
    const other = await context.newPage();
    await other.goto(`${site.url}/people?search=Ken`);
    await other.getByText('Ken Mori').first().waitFor();
    await page.locator('#account-button').focus();
    await page.keyboard.press('Enter');
    await page.locator('#sign-out').focus();
    await page.keyboard.press('Enter');
    await page.waitForURL(`${site.url}/signin?out`);
    await page.getByText('You are signed out').waitFor();
    await other.waitForURL(/\/signin\?out&next=%2Fpeople$/);
    assert.equal(await other.getByText('Ken Mori').count(), 0);
    const left = await page.evaluate(() =>
      Object.fromEntries(Object.entries(localStorage) as [string, string][]),
    );
    assert.deepEqual(left, { 'kaomon.camera': 'rear' });
    assert.deepEqual(await context.cookies(), []);
    // Back leads to no names either.
    await page.goBack(PASSING);
    await page.waitForURL(/\/signin\?next/);
  });

  it('stays signed in when the server is away, and says so', async (t) => {
    const { page, context } = await visit(t, ADMIN, '/status');
    await page.locator('#account-button').click();
    await page.route('**/api/v1/session', (route) => route.abort());
    await page.locator('#sign-out').click();
    await page.getByText('You are still signed in.').waitFor();
    assert.equal((await context.cookies()).length, 1);
  });

  it('asks before a link replaces a session, and then every tab is the new one', async (t) => {
    const { page, site, keys, link, context } = await visit(t, RECOGNISE, '/status');
    const other = await context.newPage();
    await keys.add({ name: 'second', role: 'enrol' });
    await other.goto(await link(), PASSING);
    await other.getByText('You are signed in as door.').waitFor();
    await other.getByRole('button', { name: 'Stay signed in' }).click();
    await other.waitForURL(`${site.url}/`);
    const { token } = await createLinks({ file: keys.file }).make('second');
    await other.goto(`${site.url}/signin#token=${token}`, PASSING);
    await other.getByRole('button', { name: 'Sign in with the link' }).click();
    await page.locator('#account-button').getByText('second').waitFor();
    await page.locator('nav a[href="/add"]').waitFor();
  });

  it('makes a key, ties it to groups and revokes it', async (t) => {
    const { page, keys, faults } = await visit(t, ADMIN, '/keys');
    await page.getByText('you are signed in with it').waitFor();
    await page.locator('#new-key').click();
    await page.locator('#key-name').fill('受付');
    await page.getByRole('button', { name: 'Make key' }).click();
    await page.getByText('The name may contain only').waitFor();
    await page.locator('#key-name').fill('front-desk');
    await page.getByText('Enrols', { exact: false }).first().click();
    await page.getByText('Only some groups').click();
    await page.getByRole('button', { name: 'Make key' }).click();
    await page.getByText('Choose at least one group.').waitFor();
    await page.locator('#key-groups').getByText('Staff').click();
    await page.getByRole('button', { name: 'Make key' }).click();
    const secret = await page.locator('.new-key .secret').inputValue();
    const made = await keys.verify(secret);
    assert.deepEqual([made?.role, made?.groups], ['enrol', ['staff']]);
    await page.getByRole('button', { name: 'I have it' }).click();

    const row = page.locator('[data-key="front-desk"]');
    await row.getByText('staff').waitFor();
    await row.getByText('not used lately').waitFor();
    await row.getByRole('button', { name: /^Groups/ }).click();
    await page.locator('dialog').getByText('All groups').click();
    await page.getByRole('button', { name: 'Save' }).click();
    await row.getByText('All groups').waitFor();
    assert.equal((await keys.verify(secret))?.groups, null);

    await row.getByRole('button', { name: /^Revoke/ }).click();
    const confirm = page.locator('dialog').getByRole('button', { name: 'Revoke' });
    await page.locator('#revoke-name').fill('door');
    await confirm.click();
    await page.getByText('That is not front-desk.').waitFor();
    await page.locator('#revoke-name').fill('front-desk');
    await confirm.click();
    await row.waitFor({ state: 'detached' });
    assert.equal(await keys.verify(secret), undefined);
    assert.deepEqual(faults, []);
  });

  it('shows a QR code that signs a phone in', async (t) => {
    const { page, site, browser } = await visit(t, ADMIN, '/keys', { viewport: PHONE, colorScheme: 'dark' });
    await page
      .locator('[data-key="chief"]')
      .getByRole('button', { name: /^Sign in a phone/ })
      .click();
    // The page is at this very machine's address, which means something else on a phone.
    await page
      .locator('.sign-in-link')
      .getByText('answers only on its own machine')
      .or(page.locator('.qr'))
      .waitFor();
    await page.route('**/api/v1/keys/*/link', async (route) => {
      const response = await route.fetch();
      const link = (await response.json()) as object;
      await route.fulfill({ response, json: { ...link, urls: ['http://192.168.1.7:8443'] } });
    });
    await page.locator('dialog .cross').click();
    await page
      .locator('[data-key="chief"]')
      .getByRole('button', { name: /^Sign in a phone/ })
      .click();
    const shot = await page.locator('.qr').screenshot();
    const { data, info } = await sharp(shot).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
    const read = decode(new Uint8ClampedArray(data), info.width, info.height)?.data ?? '';
    assert.match(read, /^http:\/\/192\.168\.1\.7:8443\/signin#token=[\w-]{43}$/);
    assert.equal(read, await page.locator('.sign-in-link .secret').inputValue());
    await assertFits(page);

    const { page: phone } = await openTab(browser);
    t.after(() => phone.context().close());
    await phone.goto(read.replace('http://192.168.1.7:8443', site.url), PASSING);
    await phone.waitForURL(`${site.url}/`);
    await phone.locator('#account-button').getByText('chief').waitFor();
  });

  it('has no accessibility finding, in both languages, light and dark', async (t) => {
    const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
    const found: string[] = [];
    for (const [locale, colorScheme] of [
      ['en-GB', 'light'],
      ['ja-JP', 'dark'],
    ] as const) {
      const { page, site } = await visit(t, ADMIN, '/keys', { locale, colorScheme, reducedMotion: 'reduce' });
      const check = async (where: string) =>
        found.push(
          ...(await findings(page, axe)).map((finding) => `${locale} ${colorScheme} ${where} ${finding}`),
        );
      await page.locator('.key-row').first().waitFor();
      await check('/keys');
      await page.locator('#new-key').click();
      await page.locator('#key-name').waitFor();
      await check('new key');
      await page.keyboard.press('Escape');
      await page.locator('#account-button').click();
      await check('account');
      await page.keyboard.press('Escape');
      await page.goto(`${site.url}/status`);
      await page.locator('#verdict[data-level="good"]').waitFor();
      await check('/status');
      await page.route('**/api/v1/status', (route) => route.abort());
      await page.locator('.chart.stale').first().waitFor();
      await check('/status away');
      await page.locator('#account-button').click();
      await page.locator('#sign-out').click();
      await page.waitForURL(/signin\?out/);
      await page.locator('#say.good').waitFor();
      await check('/signin');
    }
    assert.deepEqual(found, []);
  });
});

async function findings(page: Page, axe: string): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    interface Results {
      violations: { id: string; nodes: { target: string[] }[] }[];
    }
    const { axe: run } = window as unknown as { axe: { run: () => Promise<Results> } };
    const { violations } = await run.run();
    return violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`,
    );
  });
}
