import { parseArgs } from 'node:util';
import { openLog } from '../events/open-log.js';
import { type CopyReport, copyGallery } from '../gallery/copy-gallery.js';
import { logSettings, openRemote, openStore } from '../gallery/open-store.js';
import type { RemoteStore } from '../gallery/remote/remote-store.js';
import type { EmbeddingStore } from '../gallery/store/store.js';
import { createDamage } from '../platform/files/damage.js';
import { KaomonError } from '../platform/errors.js';
import { type Config, loadConfig } from '../settings/config.js';
import { createTicker } from './shared/archive.js';
import { abortable, note, openPack, runCommand } from './shared/parts.js';

const PLACES = ['file', 'redis', 'milvus'] as const;
type Place = (typeof PLACES)[number];

/** Squared L2: the same vector, as floats. */
const SAME = 1e-6;

const USAGE = `Usage: kaomon gallery copy --to milvus|redis|file [--from file|redis|milvus] [--exact]
Copies the gallery of MODEL_PACK to another place: names, groups, pictures, corrections and vectors (docs/scale.md). The
server goes on serving from the first place; what it changes meanwhile is copied, too. Whoever is there and the same is left
as they are, so a copy that was interrupted goes on where it was. In the end every face is looked for and the distances of
some are compared. Then give the server its new settings and start it again.
  --from     Default: EMBEDDING_STORE, or milvus where the copy goes back.
  --exact    Also delete in the copy whom the gallery does not have.
Give it the server's settings, and MILVUS_URL.
Exit status: 0 they are the same, 1 they differ or it could not run.`;

/**
 * `kaomon gallery copy`: copies a gallery to Milvus, or back.
 * @param words the command line after the command
 * @returns the exit status
 */
export function main(words: string[]): Promise<number> {
  return runCommand(async () => {
    const { values, positionals } = parseArgs({
      args: words,
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        to: { type: 'string' },
        from: { type: 'string' },
        exact: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    const config = loadConfig();
    const to = placeOf(values.to, '--to');
    const usual = to === 'milvus' ? config.EMBEDDING_STORE : 'milvus';
    const from = values.from === undefined ? usual : placeOf(values.from, '--from');
    if (positionals.join(' ') !== 'copy' || !to || !from || from === to)
      throw new KaomonError('SETUP', `Say what to copy where: kaomon gallery copy --to milvus.\n${USAGE}`);
    return await abortable(
      (signal) => copy(config, from, to, { exact: values.exact, signal }),
      new KaomonError('CLOSING', 'Stopped: run it again to go on.'),
    );
  });
}

function placeOf(text: string | undefined, option: string): Place | undefined {
  if (text === undefined) return undefined;
  const place = PLACES.find((one) => one === text);
  if (place) return place;
  throw new KaomonError('SETUP', `${option}=${text}: it is one of ${PLACES.join(', ')}.`);
}

async function copy(
  config: Config,
  fromPlace: Place,
  toPlace: Place,
  { exact, signal }: { exact: boolean; signal: AbortSignal },
): Promise<number> {
  const { id, embedder, templates = false } = await openPack(config.MODEL_PACK, config);
  const opened: { close(): Promise<void> }[] = [];
  async function open(place: Place): Promise<{ store: EmbeddingStore; remote: RemoteStore | undefined }> {
    if (place !== 'milvus') {
      const store = await openStore(
        { ...config, INDEX: 'auto', EMBEDDING_STORE: place },
        ...([id, embedder.length, note] as const),
      );
      opened.push(store);
      return { store, remote: undefined };
    }
    if (config.MILVUS_URL === '')
      throw new KaomonError('SETUP', 'MILVUS_URL says where Milvus is, such as http://host:19530.');
    const remote = await openRemote(config, {
      ...{ pack: id, length: embedder.length, templates, warn: note, note },
      damage: createDamage(note),
      // Only what is copied to may have lost its vectors: a copy of what is left would spoil a good one.
      isRestored: place === toPlace,
    });
    opened.push(remote);
    return { store: remote, remote };
  }
  try {
    const settings = await logSettings(config);
    const log = settings && (await openLog(settings, () => undefined));
    if (log) opened.push(log);
    const { store: from, remote: source } = await open(fromPlace);
    const { store: to, remote = source } = await open(toPlace);
    const tick = createTicker('people');
    const report = await copyGallery({
      ...{ from, to, log, exact, signal },
      progress: (done, all) => tick(done, all, done === all),
      ...(remote && {
        engine: {
          other: toPlace === 'milvus' ? from : to,
          settled: () => remote.journal.carried(),
          held: (ids) => remote.engine.held(ids, { fresh: true }),
          vectors: (ids) => remote.engine.vectors(ids, { fresh: true }),
        },
      }),
    });
    console.log(describe(id, report));
    return report.differing.length + report.surplus.length > 0 || report.farthest > SAME ? 1 : 0;
  } finally {
    for (const one of opened.reverse()) await one.close().catch(() => undefined);
  }
}

function describe(pack: string, report: CopyReport): string {
  const { people, faces, written, followed, differing, surplus, compared, farthest } = report;
  const lines = [
    `${pack}: ${people} people, ${faces} faces; ${written} people written, ${followed} of them again, as they changed meanwhile.`,
    `Compared: every face, and the vectors of ${compared}: at most ${farthest.toExponential(1)} apart (squared L2).`,
  ];
  if (differing.length > 0) lines.push(`These differ: ${differing.join(', ')}. Run it again.`);
  if (surplus.length > 0)
    lines.push(`Only the copy has these: ${surplus.join(', ')}. With --exact they are deleted there.`);
  return lines.join('\n');
}
