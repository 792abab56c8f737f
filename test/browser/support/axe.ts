import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
let script: Promise<string> | undefined;

/** The languages of the pages, as a browser asks for them: `{ locale }` of a tab. */
export const LOCALES = ['en-GB', 'ja-JP'] as const;

/**
 * What axe finds wrong with a page as it stands, light and dark, in one line each; empty where all is well. The page is
 * left in the light. Ask in each of `LOCALES`, and with each dialog open.
 * @param where begins each line
 */
export async function axeFindings(page: Page, where = new URL(page.url()).pathname): Promise<string[]> {
  script ??= readFile(AXE, 'utf8');
  await page.evaluate(await script);
  const found: string[] = [];
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    const lines = await page.evaluate(async (scheme) => {
      interface Results {
        violations: { id: string; nodes: { target: string[]; failureSummary?: string }[] }[];
      }
      const { axe } = window as unknown as { axe: { run: (options: object) => Promise<Results> } };
      // A transition that has begun would be measured half way.
      await Promise.allSettled(document.getAnimations().map((animation) => animation.finished));
      // Colours alone differ in the dark.
      const rules =
        scheme === 'dark'
          ? { runOnly: { type: 'rule', values: ['color-contrast', 'link-in-text-block'] } }
          : {};
      const { violations } = await axe.run(rules);
      return violations.flatMap(({ id, nodes }) =>
        nodes.map(
          ({ target, failureSummary = '' }) =>
            `${id}: ${target.join(' ')} (${failureSummary.replaceAll('\n', ' ')})`,
        ),
      );
    }, colorScheme);
    found.push(...lines.map((line) => `${where} ${colorScheme} ${line}`));
  }
  return found;
}
