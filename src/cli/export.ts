import { rm } from 'node:fs/promises';
import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { COMMAND_LINE } from '../access/audit.js';
import { exportGallery } from '../gallery/archive/export.js';
import { KaomonError } from '../platform/errors.js';
import { loadConfig } from '../settings/config.js';
import { createTicker, openGalleryBeside } from './shared/archive.js';
import { openAudit, openPack, runCommand } from './shared/parts.js';

const USAGE = `Usage: kaomon export FILE.zip [--groups A,B] [--pack ID]
  Writes the gallery as an archive (docs/archive.md), which must not exist yet: \`kaomon import FILE.zip\`, the page
  /people and POST /api/v1/import read it. A server may be running.
  --groups A,B   these groups only
  --pack ID      whose gallery (default: MODEL_PACK)
The archive is biometric data: keep it like a key.`;

/**
 * `kaomon export`: writes the gallery as an archive.
 * @param words the command line after the command
 * @returns the exit status
 */
export function main(words: string[]): Promise<number> {
  return runCommand(async () => {
    const { values, positionals } = parseArgs({
      args: words,
      allowPositionals: true,
      options: {
        groups: { type: 'string' },
        pack: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    if (positionals.length !== 1) throw new KaomonError('SETUP', `Name one file.\n${USAGE}`);
    const config = loadConfig();
    const ready = await openPack(values.pack ?? config.MODEL_PACK, config);
    const pack = { id: ready.id, length: ready.embedder.length };
    const gallery = await openGalleryBeside(config, pack);
    try {
      await exportTo(path.resolve(positionals[0]), { gallery, pack, groups: values.groups?.split(',') });
      return 0;
    } finally {
      await gallery.close();
    }

    async function exportTo(file: string, { gallery, pack, groups }: Exported): Promise<void> {
      const audit = openAudit(config);
      await audit.record({
        ...COMMAND_LINE,
        action: 'export',
        whom: { groups: groups ?? 'all' },
        outcome: 'begun',
      });
      const tick = createTicker('people');
      const wanted = groups && new Set(groups);
      const archive = exportGallery({ gallery, pack, folder: config.CACHE_DIR, progress: tick }, wanted);
      // Never over another file, which may be the only archive there is.
      const target = createWriteStream(file, { flags: 'wx', mode: 0o600 });
      try {
        await pipeline(archive, target);
      } catch (error) {
        // What is not whole must not be taken for a backup; but a file that was there stays.
        if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST'))
          await rm(file, { force: true });
        throw error;
      } finally {
        await audit.flush();
      }
      console.log(`The gallery of the pack ${pack.id} is in ${file}.`);
    }
  });
}

interface Exported {
  gallery: Parameters<typeof exportGallery>[0]['gallery'];
  pack: { id: string; length: number };
  groups: string[] | undefined;
}
