import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Component } from '../../src/models/component.js';
import { readPackage } from '../../src/models/weights/packages.js';
import { temporaryFolder } from './temporary.js';

/** Where published packages may lie that somebody fetched for the tests: none is fetched for them. */
const FOLDER = process.env.KAOMON_TEST_PACKAGES ?? '/tmp/npk';

/** False when a published package is there, else the reason to skip. */
export function PACKAGE_MISSING(file: string): false | string {
  return existsSync(path.join(FOLDER, file))
    ? false
    : `needs the published package ${file} in ${FOLDER} (KAOMON_TEST_PACKAGES names another folder)`;
}

/** The path of a published package; see {@link PACKAGE_MISSING}. */
export const publishedPackage = (file: string): string => path.join(FOLDER, file);

/** A folder with the files that a component takes out of a published package. */
export async function carriedPackage(
  owner: Parameters<typeof temporaryFolder>[0],
  file: string,
  component: Component,
): Promise<string> {
  const folder = await temporaryFolder(owner);
  for (const { sources, packages = [] } of component.forms) {
    const pkg = packages.find((candidate) => candidate.file === file);
    if (!pkg) continue;
    const published = sources.filter((source) => source.kind === 'published');
    for (const [name, content] of await readPackage(publishedPackage(file), pkg, published))
      await writeFile(path.join(folder, name), content);
  }
  return folder;
}
