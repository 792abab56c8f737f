import path from 'node:path';
import { parseArgs } from 'node:util';
import { KaomonError } from '../platform/errors.js';
import { loadConfig } from '../settings/config.js';
import { exportArchive } from './shared/archive.js';
import { abortable, openPack, runCommand } from './shared/parts.js';

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
    const { id, embedder } = await openPack(values.pack ?? config.MODEL_PACK, config);
    const pack = { id, length: embedder.length };
    const file = path.resolve(positionals[0]);
    return await abortable(async (signal) => {
      try {
        await exportArchive(file, config, { pack, groups: values.groups?.split(',') }, signal);
      } catch (error) {
        if (!signal.aborted) throw error;
        console.error('Stopped: nothing was left behind.');
        return 130;
      }
      console.log(`The gallery of the pack ${id} is in ${file}.`);
      return 0;
    });
  });
}
