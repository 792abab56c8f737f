/** What `kaomon export` and `kaomon import` do with an archive: a gallery without the server, and progress. */
import { type AuditEntry, COMMAND_LINE } from '../../access/audit.js';
import { exportGallery } from '../../gallery/archive/export.js';
import { importGallery, type ImportReport } from '../../gallery/archive/import.js';
import { packOf } from '../../gallery/archive/open-archive.js';
import { createExactIndex } from '../../gallery/index/exact-index.js';
import { openGallery } from '../../gallery/open.js';
import type { Gallery } from '../../gallery/types.js';
import { requireConsentIn } from '../../identity/consent.js';
import { throwIfGone } from '../../platform/errors.js';
import { writeNewFile } from '../../platform/files/new-file.js';
import type { Config } from '../../settings/config.js';
import { describeReach, note, openAudit } from './parts.js';

/** From one line of progress to the next, milliseconds. */
const PAUSE = 1000;
/** People in one line of the audit log. */
const LISTED = 200;

/** A gallery to read or fill beside a running server, which learns of each change through the event log. */
export async function openGalleryBeside(
  config: Config,
  pack: { id: string; length: number },
): Promise<Gallery> {
  const index = createExactIndex(pack.length);
  const opened = { id: pack.id, embedder: { length: pack.length } };
  return (await openGallery(config, { pack: opened, index, warn: note, follow: false })).gallery;
}

/** Says once a second how far something is. */
export function createTicker(what: string, out: Pick<NodeJS.WriteStream, 'write'> = process.stderr) {
  const started = performance.now();
  let last = -Infinity;
  return (done: number, of: number, isOver = false): void => {
    const now = performance.now();
    if (!isOver && now - last < PAUSE) return;
    last = now;
    const rate = done / Math.max(0.001, (now - started) / 1000);
    out.write(`  ${done} of ${of} ${what}, ${rate.toFixed(0)} a second\n`);
  };
}

/**
 * Exports the gallery of a pack, or some of its groups, into a file that must not exist yet.
 * @throws KaomonError SETUP; AbortError when it is stopped: nothing is left then
 */
export async function exportArchive(
  file: string,
  config: Config,
  { pack, groups }: { pack: { id: string; length: number }; groups: string[] | undefined },
  signal: AbortSignal,
): Promise<void> {
  const gallery = await openGalleryBeside(config, pack);
  const audit = openAudit(config);
  const entry = { ...COMMAND_LINE, action: 'export', whom: { groups: groups ?? 'all' } } as const;
  let outcome: AuditEntry['outcome'] = 'failed';
  try {
    await audit.record({ ...entry, outcome: 'begun' });
    const progress = createTicker('people');
    const archive = exportGallery(
      { gallery, pack, folder: config.CACHE_DIR, progress },
      groups && new Set(groups),
    );
    await writeNewFile(file, archive, signal);
    outcome = 'done';
  } catch (error) {
    if (signal.aborted) outcome = 'aborted';
    throw error;
  } finally {
    await audit.record({ ...entry, outcome });
    await audit.flush();
    await gallery.close();
  }
}

/** Imports an archive into the gallery of its own pack. */
export async function importArchive(
  file: string,
  config: Config,
  signal: AbortSignal,
): Promise<ImportReport> {
  const pack = await packOf(file);
  const gallery = await openGalleryBeside(config, pack);
  const audit = openAudit(config);
  let people: string[] = [];
  const record = (whom: Record<string, unknown>) =>
    void audit.record({ ...COMMAND_LINE, action: 'import', whom, outcome: 'done' });
  const flush = () => {
    if (people.length > 0) record({ people });
    people = [];
  };
  const tick = createTicker('people');
  try {
    const report = await importGallery(
      {
        ...{ gallery, pack },
        enrol: (enrolment, { embedding, crop }) => gallery.enrol({ ...enrolment, crop }, embedding),
      },
      file,
      {
        signal,
        requirePerson: config.CONSENT === 'required' ? requireConsentIn(gallery) : undefined,
        progress: ({ people: { added, skipped } }, of) =>
          tick(added + skipped, of.people, added + skipped === of.people),
        report(list, id) {
          if (list === 'groups') record({ groups: [id] });
          else if (people.push(id) === LISTED) flush();
        },
      },
    );
    throwIfGone(signal);
    console.log(describeReach(pack.id, config));
    return report;
  } finally {
    flush();
    await audit.flush();
    await gallery.close();
  }
}
