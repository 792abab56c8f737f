import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const CHILD = fileURLToPath(new URL('./webgpu-child.js', import.meta.url));

/** Where browsers keep SwiftShader, a Vulkan driver that computes on the processor. */
const DRIVERS = [
  '/usr/lib/chromium/vk_swiftshader_icd.json',
  '/usr/lib/chromium-browser/vk_swiftshader_icd.json',
  '/opt/google/chrome/vk_swiftshader_icd.json',
];
const LOADER = 'libvulkan.so.1';
/** Shaders of a few small networks are made in seconds; a machine may be busy with other tests. */
const PATIENCE = 240_000;

/** Settings under which a program's WebGPU provider works, or why there are none. */
export type Webgpu = { env: Record<string, string> } | { reason: string };

/**
 * Looks for a Vulkan that ONNX Runtime's WebGPU provider takes: the one that the environment names, else a browser's
 * SwiftShader. Proves it by a run.
 * @param after called with what is to be done when the tests have ended
 */
export async function findWebgpu(after: (job: () => Promise<void>) => void): Promise<Webgpu> {
  const { VK_ICD_FILENAMES, VK_DRIVER_FILES, LD_LIBRARY_PATH } = process.env;
  const driver = VK_DRIVER_FILES ?? VK_ICD_FILENAMES ?? DRIVERS.find(existsSync);
  if (!driver)
    return { reason: 'no Vulkan is here (Chromium brings one: npm test installs it where it may)' };
  const folder = await mkdtemp(path.join(tmpdir(), 'kaomon-test-'));
  after(() => rm(folder, { recursive: true, force: true }));
  // The browser's loader serves where the machine has none of its own.
  const loader = path.join(path.dirname(driver), LOADER);
  if (existsSync(loader)) await symlink(loader, path.join(folder, LOADER));
  const env = {
    VK_ICD_FILENAMES: driver,
    VK_DRIVER_FILES: driver,
    XDG_RUNTIME_DIR: folder,
    LD_LIBRARY_PATH: [LD_LIBRARY_PATH, folder].filter(Boolean).join(':'),
    ORT_DISABLE_TELEMETRY: '1',
  };
  try {
    await runOnWebgpu(env, 'probe');
    return { env };
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    const said = /(?:Failed to get|Error:|is not).*/.exec(stderr)?.at(0) ?? String(error).split('\n')[0];
    return { reason: `WebGPU does not run on ${driver}: ${said.slice(0, 200)}` };
  }
}

/** Does in a process of its own what webgpu-child.ts calls `what`. @returns what it found */
export async function runOnWebgpu(env: Record<string, string>, what: string): Promise<unknown> {
  const { stdout } = await run(process.execPath, ['--enable-source-maps', CHILD, what], {
    env: { PATH: process.env.PATH, ...env },
    timeout: PATIENCE,
    maxBuffer: 1 << 24,
  });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}
