import path from 'node:path';
import { parseArgs } from 'node:util';
import { soakHostile } from '../bench/hostile.js';
import { HOSTILE, type HostileName } from '../bench/hostile-order.js';
import { loadConfig } from '../settings/config.js';
import { makeFolder } from '../platform/files/durable.js';
import { KaomonError } from '../platform/errors.js';
import { runCommand } from './shared/parts.js';

const USAGE = `Usage: npm run soak:hostile                      ten minutes with five hostile clients and a well-behaved one
       npm run soak:hostile -- --minutes 1       for less time
       npm run soak:hostile -- --who slow,abort  with only some of the hostile clients: slow, flood, abort, careless, crowd
Starts a server of its own on the loopback interface. Exit status 1 when a limit is exceeded.`;

/**
 * `npm run soak:hostile`: checks that hostile clients cannot keep the server from serving the others.
 * @param words the command line after the command
 * @returns the exit status
 */
export function main(words: string[]): Promise<number> {
  return runCommand(async () => {
    const { values } = parseArgs({
      args: words,
      options: {
        minutes: { type: 'string', default: '10' },
        who: { type: 'string', default: HOSTILE.join() },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    const minutes = Number(values.minutes);
    if (!(minutes > 0)) throw new KaomonError('SETUP', `--minutes must be a number above 0.\n${USAGE}`);
    const who = values.who.split(',');
    if (!who.every((name): name is HostileName => (HOSTILE as readonly string[]).includes(name)))
      throw new KaomonError('SETUP', `--who must name some of ${HOSTILE.join(', ')}.\n${USAGE}`);
    const config = loadConfig();
    const folder = path.join(config.CACHE_DIR, 'bench');
    await makeFolder(folder);
    const broken = await soakHostile({
      config,
      folder,
      seconds: minutes * 60,
      who,
      say: (line) => console.log(line),
    });
    console.log(broken.length === 0 ? 'All limits hold.' : `${broken.length} limits were exceeded.`);
    return broken.length === 0 ? 0 : 1;
  });
}
