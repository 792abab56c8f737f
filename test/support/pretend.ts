import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { BUILDER_VERSION, type Component, networkFiles } from '../../src/models/component.js';
import { sha256Of, statFile } from '../../src/models/files.js';
import { packagedFile } from '../../src/models/weights/sources.js';

/**
 * Makes a component look built from the published weights: whoever only looks at manifests and sizes takes it for that.
 * @param builder another one than the present
 */
export async function pretendBuilt(
  component: Component,
  modelsDir: string,
  builder = BUILDER_VERSION,
): Promise<void> {
  const folder = path.join(modelsDir, component.id);
  const network = Buffer.from('a network');
  const files = networkFiles(component);
  await mkdir(folder, { recursive: true });
  for (const file of files) await writeFile(path.join(folder, file), network);
  const sources = component.forms[0].sources.map(async (source) => {
    const found = source.kind === 'package' && (await statFile(packagedFile(source) ?? ''));
    const published = source.kind === 'published' && { bytes: source.bytes, sha256: source.sha256 };
    return {
      ...{ file: source.file, from: 'where it was', modified: 0, bytes: 0, sha256: '0'.repeat(64) },
      ...found,
      ...published,
    };
  });
  const manifest = {
    ...{ format: 'kaomon-component', component: component.id, builder, built: '2024-01-01T00:00:00.000Z' },
    licence: component.licence,
    sources: await Promise.all(sources),
    networks: files.map((file) => ({ file, bytes: network.length, sha256: sha256Of(network) })),
  };
  await writeFile(path.join(folder, 'manifest.json'), JSON.stringify(manifest));
}
