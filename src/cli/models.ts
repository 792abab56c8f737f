import path from 'node:path';
import { parseArgs } from 'node:util';
import { fetchSettings, loadConfig } from '../settings/config.js';
import { KaomonError } from '../platform/errors.js';
import { enrolledPacks } from '../gallery/enrolled.js';
import { createFetchers } from '../models/weights/fetchers.js';
import { installFrom } from '../models/packs/install.js';
import { listPacks, type PackStatus } from '../models/packs/list.js';
import { prepareBest, preparePack, type Progress } from '../models/packs/prepare.js';
import { runCommand } from './shared/parts.js';

const USAGE = `Usage: npm run models                    lists the model packs
       npm run models -- --json          the same for programs
       npm run models -- --fetch [PACK]  fetches a pack (where none is named, the best that can be had) and builds it
       npm run models -- --from PLACE    builds what it can from published files or packages in a folder, or from one
       npm run models -- --int8 PICTURES [PACK]
                                         makes the int8 form of a pack's embedder, measured on any pictures with faces`;

const STATES = {
  installed: 'installed',
  buildable: 'built at the next start that uses it',
  missing: 'not here',
  broken: 'cannot be used',
} as const;

/** One pack as a few lines for a person. */
export function describePack(pack: PackStatus): string {
  const rows: [string, string][] = [
    ['state', `${STATES[pack.state]}${pack.problem ? `: ${pack.problem}` : ''}`],
    ['licence', pack.licence],
    ...pack.from.map((place): [string, string] => ['from', place]),
    ...pack.networks.map(({ file, bytes, sha256 }): [string, string] => [
      'file',
      `${file}  ${(bytes / 1e6).toFixed(1)} MB  sha256 ${sha256}`,
    ]),
    ...pack.forms.map(({ precision, likeness }): [string, string] => [
      'form',
      `${precision}${likeness ? `  cosine ${likeness.least.toFixed(4)} at the least, on ${likeness.faces} faces` : ''}`,
    ]),
  ];
  const lines = rows
    .filter(([, text]) => text !== '')
    .map(([name, text], i, all) => `    ${(i > 0 && all[i - 1][0] === name ? '' : name).padEnd(9)}${text}`);
  return [`${pack.inUse ? '*' : ' '} ${pack.id}  ${pack.title}`, ...lines].join('\n');
}

/** A bar that is drawn over itself on a terminal; in a file, a line when a step begins and at each tenth of it. */
function createProgressLine(out: NodeJS.WriteStream): (progress: Progress) => void {
  const width = 30;
  let last = '';
  return ({ kind, message, fraction }) => {
    const known = kind === 'fetch' && fraction !== undefined;
    if (out.isTTY && known) {
      const bar = '#'.repeat(Math.floor(fraction * width)).padEnd(width, '-');
      out.write(`\r  ${message} [${bar}] ${Math.floor(fraction * 100)} %${fraction === 1 ? '\n' : ''}`);
      return;
    }
    const line = known ? `${message} ${Math.floor(fraction * 10) * 10} %` : message;
    if (line !== last) out.write(`  ${line}\n`);
    last = line;
  };
}

/**
 * `npm run models`: lists the packs, fetches one or builds from files.
 * @param words the command line after the command
 * @returns the exit status
 */
export function main(words: string[]): Promise<number> {
  return runCommand(async () => {
    const { values, positionals } = parseArgs({
      args: words,
      allowPositionals: true,
      options: {
        fetch: { type: 'boolean', default: false },
        from: { type: 'string' },
        int8: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    if (positionals.length > (values.fetch || values.int8 !== undefined ? 1 : 0)) {
      throw new KaomonError('SETUP', `"${positionals.at(-1)}" is one word too many.\n${USAGE}`);
    }
    const config = loadConfig();
    const { MODEL_PACK, MODELS_DIR } = config;
    const context = { modelsDir: MODELS_DIR, onProgress: createProgressLine(process.stderr) };
    const asking = { modelsDir: MODELS_DIR, enrolledPacks: () => enrolledPacks(config) };
    if (values.from !== undefined) {
      const { packs, missing } = await installFrom(path.resolve(values.from), context);
      console.log(`Installed: ${packs.join(', ') || 'a part of a pack'}.`);
      if (missing.length > 0) console.log(`Not there: ${missing.join(', ')}.`);
      return 0;
    }
    if (values.int8 !== undefined) {
      const { makeInt8 } = await import('./shared/int8.js');
      const { faces, least, mean } = await makeInt8(
        path.resolve(values.int8),
        positionals.at(0) ?? MODEL_PACK,
        config,
      );
      console.log(
        `Made: on ${faces} other faces its embeddings have a cosine of ${mean.toFixed(4)} to the float ones, ${least.toFixed(4)} at the least. Start with EMBEDDER_PRECISION=int8.`,
      );
      return 0;
    }
    if (values.fetch) {
      const fetchers = createFetchers(fetchSettings(config));
      const named = positionals.at(0);
      const fetching = { ...asking, ...context, ...fetchers };
      const pack = await (named === undefined ? prepareBest(fetching) : preparePack(named, fetching));
      console.log(`Installed: ${pack.id}. Licence: ${pack.licence}.`);
      for (const line of (await listPacks(MODEL_PACK, asking)).notes) console.log(line);
      return 0;
    }
    const { packs, notes } = await listPacks(MODEL_PACK, asking);
    if (values.json) {
      console.log(JSON.stringify(packs, null, 2));
      return 0;
    }
    console.log(packs.map(describePack).join('\n\n'));
    console.log(`\n* = in use (MODEL_PACK=${MODEL_PACK}). Folder: ${MODELS_DIR}`);
    for (const line of notes) console.log(line);
    return 0;
  });
}
