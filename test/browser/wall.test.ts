import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { enrolByVector } from './support/app-site.js';
import { CHROMIUM_MISSING } from './support/browser.js';
import { browserForSuite, face, KEN } from './support/visit.js';

interface Watched {
  /** What was asked of the screen, and what was given back. */
  locks: string[];
  /** The browser takes the lock away, as it does from a page that is not seen. */
  takeAway: () => void;
  /** Notes that have sounded, hertz. */
  notes: number[];
}

const watched = <T>(page: Page, read: (of: Watched) => T): Promise<T> =>
  page.evaluate<T>(`(${read.toString()})(window)`);

/** A screen that can be kept on, and notes every lock. */
function watchScreen(page: Page): Promise<unknown> {
  return page.addInitScript(() => {
    const screen: string[] = [];
    let last = { released: true };
    const request = () => {
      const lock = {
        released: false,
        release() {
          if (!lock.released) screen.push('given back');
          lock.released = true;
          return Promise.resolve();
        },
      };
      last = lock;
      screen.push('kept on');
      return Promise.resolve(lock);
    };
    Object.assign(window, { locks: screen, takeAway: () => void (last.released = true) });
    Object.defineProperty(navigator, 'wakeLock', { value: { request } });
  });
}

/** The page is seen, or no longer. */
const beSeen = (page: Page, isSeen: boolean) =>
  page.evaluate((seen) => {
    Object.defineProperty(document, 'hidden', { value: !seen, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, isSeen);

/** Sound that is counted in place of heard; a machine of tests has none. */
function watchSound(page: Page): Promise<unknown> {
  return page.addInitScript(() => {
    const notes: number[] = [];
    const nothing = () => undefined;
    const ramps = {
      setValueAtTime: nothing,
      linearRampToValueAtTime: nothing,
      exponentialRampToValueAtTime: nothing,
    };
    class Node {
      gain = ramps;
      connect<T>(to: T): T {
        return to;
      }
    }
    class Oscillator extends Node {
      constructor(
        _to: unknown,
        private readonly options: { frequency: number },
      ) {
        super();
      }
      start(): void {
        notes.push(this.options.frequency);
      }
      stop = nothing;
    }
    class Audio {
      state = 'suspended';
      currentTime = 0;
      destination = {};
      resume(): Promise<void> {
        // As browsers do: not before somebody has touched the page.
        if (navigator.userActivation.hasBeenActive) this.state = 'running';
        return Promise.resolve();
      }
    }
    Object.assign(window, { notes, AudioContext: Audio, OscillatorNode: Oscillator, GainNode: Node });
  });
}

describe('the screen of a wall display', { skip: CHROMIUM_MISSING }, () => {
  const visit = browserForSuite();

  it('is kept on again when the page is seen again, and given back when the display is left', async (t) => {
    const { page, faults } = await visit(t, '/', {}, watchScreen);
    const told = () => watched(page, ({ locks }) => locks);
    await face(page, 'Ken Mori').waitFor();
    assert.deepEqual(await told(), [], 'not before');
    await page.keyboard.press('w');
    await page.locator('body.wall').waitFor();
    assert.deepEqual(await told(), ['kept on']);
    await watched(page, ({ takeAway }) => takeAway());
    await beSeen(page, false);
    assert.deepEqual(await told(), ['kept on'], 'nothing is asked for a page that nobody sees');
    await beSeen(page, true);
    assert.deepEqual(await told(), ['kept on', 'kept on']);
    await beSeen(page, true);
    assert.deepEqual(await told(), ['kept on', 'kept on'], 'one lock is enough');
    await page.keyboard.press('w');
    await page.locator('body:not(.wall)').waitFor();
    assert.deepEqual(await told(), ['kept on', 'kept on', 'given back']);
    await beSeen(page, false);
    await beSeen(page, true);
    assert.equal((await told()).length, 3, 'and stays given back');
    assert.deepEqual(faults, []);
  });
});

describe('the chime', { skip: CHROMIUM_MISSING }, () => {
  const visit = browserForSuite();
  const HELLO = [784, 1047];

  it('sounds for somebody known who comes, not for strangers, and not when it is off', async (t) => {
    const { page, site, faults } = await visit(t, '/', {}, async (tab, to) => {
      to.found = [];
      await watchSound(tab);
    });
    const notes = () => watched(page, ({ notes: all }) => all);
    await page.locator('#state[data-state="nobody"]').waitFor();
    await page.locator('h2').first().click();
    await page.locator('#greeting').selectOption('chime');
    await page.waitForFunction(() => (window as unknown as Watched).notes.length === 2);
    assert.deepEqual(await notes(), HELLO, 'to hear what was chosen');
    site.found = [{ ...KEN, distance: 2 }];
    await page.locator('#faces button', { hasText: 'Unknown' }).waitFor();
    assert.equal((await notes()).length, 2);
    site.found = [
      { ...KEN, distance: 2 },
      { ...KEN, x: 0.7 },
    ];
    await face(page, 'Ken Mori').waitFor();
    await page.waitForFunction(() => (window as unknown as Watched).notes.length >= 4);
    assert.deepEqual(await notes(), [...HELLO, ...HELLO]);
    await page.locator('#greeting').selectOption('off');
    await enrolByVector(site, { userid: 'hana', username: 'Hana Abe', distance: 2 });
    await face(page, 'Hana Abe').waitFor();
    assert.equal((await notes()).length, 4);
    assert.deepEqual(faults, []);
  });
});
