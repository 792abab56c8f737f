import { parseArgs } from 'node:util';
import { segmentsRefusal } from '../gallery/base/segments-addon.js';
import { makeSnapshotHere } from '../gallery/snapshot/make.js';
import { KaomonError } from '../platform/errors.js';
import { loadConfig } from '../settings/config.js';
import { abortable, note, openPack, runCommand } from './shared/parts.js';

const USAGE = `Usage: kaomon snapshot
Makes a snapshot of the gallery of MODEL_PACK now, unless nothing has changed since the last one (docs/gallery.md). A server
makes them by itself; this is for one that is about to be started for the first time with many people. Running servers
take it over within seconds. Give it the server's settings.
Exit status: 0 there is one, 1 it could not run.`;

/**
 * `kaomon snapshot`: makes a snapshot of the gallery.
 * @param words the command line after the command
 * @returns the exit status
 */
export function main(words: string[]): Promise<number> {
  return runCommand(async () => {
    const { values } = parseArgs({
      args: words,
      options: { help: { type: 'boolean', short: 'h', default: false } },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    const config = loadConfig();
    const { EVENT_LOG: log, EMBEDDINGS_DIR: folder } = config;
    const refusal = segmentsRefusal();
    if (refusal !== undefined) throw new KaomonError('SETUP', `Snapshots cannot be used here: ${refusal}.`);
    if (!config.SNAPSHOTS || log === 'none')
      throw new KaomonError('SETUP', 'A server with SNAPSHOTS=false or EVENT_LOG=none uses no snapshots.');
    const pack = await openPack(config.MODEL_PACK, config);
    const { id, embedder, templates = false } = pack;
    return await abortable(
      async (signal) => {
        let told = 0;
        const report = await makeSnapshotHere(
          config,
          { folder, pack: id, length: embedder.length, templates, log },
          {
            signal,
            warn: note,
            onDamage: ({ what, reason }) => note(`${what} is damaged: ${reason}.`),
            onWait: () => note('Another process is writing a snapshot: waiting for it.'),
            onProgress(done, all) {
              const tenths = Math.floor((done / all) * 10);
              if (tenths > told) note(`${tenths * 10} % of ${all} people`);
              told = tenths;
            },
          },
        );
        const { number, isNew, people, faces, changed, gone, seconds } = report;
        const what = isNew
          ? `made; ${changed} people new or changed, ${gone} gone`
          : 'nothing has changed since it was made';
        console.log(
          `${id}: snapshot ${number}, ${people} people, ${faces} faces: ${what} (${seconds.toFixed(1)} s).`,
        );
        return 0;
      },
      new KaomonError('CLOSING', 'Stopped: nothing was left behind.'),
    );
  });
}
