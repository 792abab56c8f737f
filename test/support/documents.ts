import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { PROJECT_ROOT } from '../../src/platform/root.js';

/** A fenced block of a document. */
export interface Block {
  document: string;
  /** Of its first fence, from 1. */
  line: number;
  /** `sh`, `json`, `js` or `text`; '' where the fence says nothing. */
  language: string;
  text: string;
  /** What an HTML comment right before it says: `not run: REASON`, `example of: WHAT`. */
  mark: string | undefined;
  /** It stands right behind this one, with nothing between them. */
  behind: Block | undefined;
}

export interface Document {
  name: string;
  text: string;
  blocks: Block[];
}

const FENCE = /(?:^<!-- ([^\n]*) -->\n\n)?^```(\w*)\n(.*?)^```$/gms;

/** README.md and everything in docs/, with its blocks. */
export const DOCUMENTS: readonly Document[] = [
  'README.md',
  ...readdirSync(path.join(PROJECT_ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
].map((name) => {
  const text = readFileSync(path.join(PROJECT_ROOT, name), 'utf8');
  const blocks: Block[] = [];
  let end = 0;
  for (const found of text.matchAll(FENCE)) {
    const [whole, mark, language, inside] = found as unknown as [string, string | undefined, string, string];
    const line = text.slice(0, found.index + whole.indexOf('```')).split('\n').length;
    const isBehind = text.slice(end, found.index).trim() === '';
    blocks.push({
      ...{ document: name, line, language, text: inside, mark },
      behind: isBehind && mark === undefined ? blocks.at(-1) : undefined,
    });
    end = found.index + whole.length;
  }
  return { name, text, blocks };
});

/** The command lines of a block: what goes over several lines is one, comments are none. */
export const commandsOf = ({ text }: Pick<Block, 'text'>): string[] =>
  text
    .split(/(?<!\\)\n/)
    .map((line) => line.replace(/\s{2,}#.*$/, ''))
    .filter((line) => line.trim() !== '' && !line.startsWith('#'));

/** Commands that stand in the text itself. */
export const commandsInText = ({ text }: Pick<Document, 'text'>): string[] =>
  [...text.replace(/^```.*?^```$/gms, '').matchAll(/`([^`]+)`/g)]
    .map(([, words]) => words.replace(/\s+/g, ' '))
    .filter((words) =>
      /^(?:[A-Z_]+=\S+ )*(?:timeout \d+ )?(?:npm (?:run|test|start)|npx kaomon|node) ?/.test(words),
    );

/** What a line of shell calls, by `package.json` where it says `npm`. */
export interface Called {
  /** Variables before it. */
  settings: Record<string, string>;
  /** The file that Node runs, relative to the checkout. */
  script: string;
  words: string[];
}

const { scripts: SCRIPTS } = JSON.parse(readFileSync(path.join(PROJECT_ROOT, 'package.json'), 'utf8')) as {
  scripts: Record<string, string | undefined>;
};

/** @throws Error for a script that is not there. @returns undefined: it calls another program than Node */
export function calledBy(line: string): Called | undefined {
  const words = line
    .replaceAll('\\\n', ' ')
    .trim()
    .replace(/^timeout \d+ /, '')
    .split(/\s+/);
  const settings: Record<string, string> = {};
  for (let [, name, value] = assignment(words[0]); name; [, name, value] = assignment(words[0])) {
    settings[name] = value;
    words.shift();
  }
  const [program, verb, ...rest] = words;
  if (program === 'npx' && verb === 'kaomon') return { settings, script: 'scripts/kaomon.mjs', words: rest };
  if (program === 'node') return { settings, script: verb, words: rest };
  if (program !== 'npm' || !['run', 'test', 'start'].includes(verb)) return undefined;
  const [name, given] = verb === 'run' ? [rest[0], rest.slice(1)] : [verb, rest];
  const known = SCRIPTS[name];
  if (known === undefined) throw new Error(`package.json has no script "${name}"`);
  const [node, script, ...more] = known.split(' ');
  if (node !== 'node') return undefined;
  if (given.length > 0 && given[0] !== '--')
    throw new Error(`npm keeps "${given[0]}" to itself: "--" is missing`);
  return { settings, script, words: [...more, ...given.slice(1)] };
}

const assignment = (word = '') => /^([A-Z_]+)=(.*)$/.exec(word) ?? ['', '', ''];
