/** `node run-command.js COMMAND ...`: a command's module as `scripts/kaomon.mjs` runs it, without building first. */
import '../../src/platform/no-telemetry.js';

const [, , command, ...words] = process.argv;
const { main } = (await import(new URL(`../../src/cli/${command}.js`, import.meta.url).href)) as {
  main: (words: string[]) => Promise<number>;
};
process.exitCode = await main(words);
