import { readFile } from 'node:fs/promises';
import type { AuditEntry } from '../../src/access/audit.js';
import type { TestApp } from './app.js';
import { until } from './until.js';

export type AuditLine = AuditEntry & { whom: Record<string, unknown> };

/** The lines of an app's audit so far. */
export const readAudit = async ({ config }: Pick<TestApp, 'config'>): Promise<AuditLine[]> => {
  const text = await readFile(config.AUDIT_FILE, 'utf8').catch(() => '');
  // What stands behind the last line break is being written.
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as AuditLine);
};

/** Waits for lines that `fit`. */
export async function written(
  test: Pick<TestApp, 'config'>,
  fits: (lines: AuditLine[]) => boolean,
): Promise<AuditLine[]> {
  await until(async () => fits(await readAudit(test)), 20_000);
  return await readAudit(test);
}

/** What a test asks about most. */
export const told = ({ who, action, outcome, whom }: AuditLine) => ({ who, action, outcome, whom });
