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
       npm run models -- --fetch [PACK]  fetches a pack (by default the best one available) and builds it
       npm run models -- --from PATH     builds what it can from a published file or package, or from a folder of them
       npm run models -- --int8 PICTURES [PACK]
                                         makes the int8 form of a pack's embedder, measured on a folder of pictures with
                                         faces`;

const STATES = {
  installed: 'installed',
  buildable: 'will be built at the next start that uses it',
  missing: 'not installed',
  broken: 'cannot be used',
} as const;

/** One pack as a few lines of text. */
function describePack(pack: PackStatus): string {
  const files = pack.networks.map(
    ({ file, bytes, sha256 }) => `${file}  ${(bytes / 1e6).toFixed(1)} MB  sha256 ${sha256}`,
  );
  const forms = pack.forms.map(({ precision, likeness }) =>
    likeness
      ? `${precision}  cosine at least ${likeness.least.toFixed(4)}, on ${likeness.faces} faces`
      : precision,
  );
  const rows = {
    state: [`${STATES[pack.state]}${pack.problem ? `: ${pack.problem}` : ''}`],
    licence: pack.licence === '' ? [] : [pack.licence],
    from: pack.from,
    file: files,
    form: forms,
  };
  const lines = Object.entries(rows).flatMap(([name, texts]) =>
    texts.map((text, i) => `    ${(i === 0 ? name : '').padEnd(9)}${text}`),
  );
  return [`${pack.inUse ? '*' : ' '} ${pack.id}  ${pack.title}`, ...lines].join('\n');
}

/** On a terminal, a bar that is redrawn in place; in a file, a line when a step begins and at each tenth of it. */
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
      throw new KaomonError('SETUP', `Unexpected argument "${positionals.at(-1)}".\n${USAGE}`);
    }
    const config = loadConfig();
    const { MODEL_PACK, MODELS_DIR } = config;
    const context = { modelsDir: MODELS_DIR, onProgress: createProgressLine(process.stderr) };
    const inUse = { modelsDir: MODELS_DIR, enrolledPacks: () => enrolledPacks(config) };
    if (values.from !== undefined) {
      const { packs, missing } = await installFrom(path.resolve(values.from), context);
      console.log(`Installed: ${packs.join(', ') || 'a part of a pack'}.`);
      if (missing.length > 0) console.log(`Still missing: ${missing.join(', ')}.`);
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
        `Made: on ${faces} other faces the cosine between its embeddings and the float32 ones is ${mean.toFixed(4)} on average and at least ${least.toFixed(4)}. Start the server with EMBEDDER_PRECISION=int8.`,
      );
      return 0;
    }
    if (values.fetch) {
      const fetchers = createFetchers(fetchSettings(config));
      const named = positionals.at(0);
      const fetching = { ...inUse, ...context, ...fetchers };
      const pack = await (named === undefined ? prepareBest(fetching) : preparePack(named, fetching));
      console.log(`Installed: ${pack.id}. Licence: ${pack.licence}.`);
      for (const line of (await listPacks(MODEL_PACK, inUse)).notes) console.log(line);
      return 0;
    }
    const { packs, notes } = await listPacks(MODEL_PACK, inUse);
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
