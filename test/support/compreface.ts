import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { writeFile } from 'node:fs/promises';
import type { TestContext } from 'node:test';
import { decodeImage } from '../../src/vision/image.js';
import type { AnalysedFace } from '../../src/vision/types.js';
import type { Config } from '../../src/settings/config.js';
import { face, testApp, type TestApp } from './app.js';
import { greyJpeg } from './pictures.js';
import { temporaryFolder } from './temporary.js';

/** Who is in the made pictures: a picture's width says it. The vectors of Ann and Bob lie 1.5 (squared L2) apart. */
const PEOPLE: Record<string, [size: number, distance: number][]> = {
  ann: [[100, 0]],
  ann2: [[100, 0.1]],
  bob: [[90, 1.5]],
  nobody: [],
  both: [
    [100, 0],
    [90, 1.5],
  ],
  small: [[20, 0]],
};
const HEIGHT = 48;
const WIDTH_OF = Object.fromEntries(Object.keys(PEOPLE).map((name, i) => [name, 64 + i]));
export type Scene = 'ann' | 'ann2' | 'bob' | 'nobody' | 'both' | 'small';

/** @param variant pictures of one scene that differ a little: by their height */
export function scene(name: Scene, variant = 0): Promise<Buffer> {
  return greyJpeg(WIDTH_OF[name], HEIGHT + variant);
}

/** The whole app over a vision that knows the people of the made pictures. */
export async function compreFaceApp(
  t: Pick<TestContext, 'after'>,
  settings: Partial<Config> = {},
): Promise<TestApp> {
  const made = await testApp(t, settings);
  const { vision } = made;
  vision.analyze = async (bytes, options = {}) => {
    const look = { ...options };
    delete look.caller;
    delete look.signal;
    vision.asked.push(look);
    const { width, height } = await decodeImage(bytes, { maxPixels: 1e6 });
    const name = Object.keys(WIDTH_OF).find((one) => WIDTH_OF[one] === width) ?? 'nobody';
    const faces = PEOPLE[name]
      .slice(0, options.maxFaces)
      .map(([size, distance]): AnalysedFace => face(size, distance + (height - HEIGHT) * 0.001));
    // As if the picture were larger: faces lie in it whole.
    return { width: 640, height: 480, faces, times: { queue: 0, decode: 1, detect: 2, embed: 3 } };
  };
  return made;
}

export interface Listening extends TestApp {
  port: number;
  /** A file of a made picture, as a path that CompreFace's SDK takes for one: it begins with a dot. */
  file: (name: Scene) => Promise<string>;
}

/** The app on a free port of the loopback, over HTTP. */
export async function listeningCompreFace(
  t: Pick<TestContext, 'after'>,
  settings: Partial<Config> = {},
): Promise<Listening> {
  const made = await compreFaceApp(t, settings);
  await made.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = made.app.server.address() as AddressInfo;
  const folder = await temporaryFolder(t);
  const file = async (name: Scene) => {
    const where = path.join(folder, `${name}.jpg`);
    await writeFile(where, await scene(name));
    return path.relative('.', where).replace(/^(?!\.)/, './');
  };
  return { ...made, port, file };
}
