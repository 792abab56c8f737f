import { PassThrough, type Readable } from 'node:stream';
import type { ImportOptions, ImportReport } from '../../gallery/archive/import.js';

/** Lines of JSON. */
export const PROGRESS_TYPE = 'application/x-ndjson';
/** From one line to the next, milliseconds. */
const PAUSE = 250;

/**
 * Runs an import whose answer says how far it is.
 * @param run imports, and calls its argument as it goes on
 * @param explain what the caller is told of an error after that
 * @returns lines of JSON, once the archive was checked: `{done, of}`, last `{report}` or `{error}`
 * @throws what `run` throws before it calls its argument
 */
export async function importTelling(
  run: (progress: NonNullable<ImportOptions['progress']>) => Promise<ImportReport>,
  explain: (error: unknown) => { code: string; message: string },
): Promise<Readable> {
  const lines = new PassThrough();
  const write = (line: object) => lines.write(`${JSON.stringify(line)}\n`);
  return await new Promise((resolve, reject) => {
    let last = -Infinity;
    let isChecked = false;
    run((report, { people: all, faces: allFaces }) => {
      const now = performance.now();
      if (now - last < PAUSE) return;
      last = now;
      const { people, faces } = report;
      const done = { people: people.added + people.skipped, faces: faces.added + faces.skipped };
      write({ done, of: { people: all, faces: allFaces } });
      isChecked = true;
      resolve(lines);
    }).then(
      (report) => {
        write({ report });
        lines.end();
        resolve(lines);
      },
      (error: unknown) => {
        if (!isChecked) {
          reject(error instanceof Error ? error : new Error(String(error)));
          return;
        }
        write({ error: explain(error) });
        lines.end();
      },
    );
  });
}
