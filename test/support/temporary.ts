import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A test, or a suite by `node:test` itself. */
interface Owner {
  after: (job: () => unknown) => unknown;
}

const folders = new Set<string>();

/**
 * A folder of a test's (or a suite's) own. It is removed when the process ends and not after the test: Node runs a test's hooks in
 * the order in which they were made, so that the folder would go first, from under whatever is closed after it.
 */
// eslint-disable-next-line @typescript-eslint/no-unused-vars -- the caller says whose it is, should Node mend its order
export async function temporaryFolder(_owner: Owner): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'kaomon-test-'));
  if (folders.size === 0) process.once('exit', removeAll);
  folders.add(folder);
  return folder;
}

function removeAll(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
