/** Whether a frame shows what an earlier one showed, in which nobody was: then it need not be searched, nor even decoded. */
import { sceneOfJpeg } from './jpeg-scene.js';
import { isSameScene, SCENE } from './track.js';
import type { Analysis, EmptyScene, Picture, ThreadOptions } from './types.js';

/** @param scene the picture's, see `sceneOf` */
export function emptySceneOf(bytes: Uint8Array, { width, height }: Picture, scene: Uint8Array): EmptyScene {
  return { width, height, scene, coefficients: sceneOfJpeg(bytes, SCENE) };
}

/** The answer for a frame that is as the empty one; undefined where it is not, or where only its pixels can tell. */
export function answerAsEmpty(bytes: Uint8Array, { track }: ThreadOptions): Analysis | undefined {
  const before = track?.quiet?.coefficients;
  if (!track?.quiet || !before) return undefined;
  const begun = performance.now();
  const now = sceneOfJpeg(bytes, SCENE);
  if (now?.width !== before.width || now.height !== before.height) return undefined;
  if (!isSameScene(before.cells, now.cells)) return undefined;
  const { width, height } = track.quiet;
  const times = { queue: 0, decode: performance.now() - begun, detect: 0, embed: 0 };
  return { width, height, faces: [], times, searched: false };
}

/** What to look for in a frame whose pixels are known: not for new faces where it is as the empty one. */
export function withoutQuietSearch(options: ThreadOptions, scene: Uint8Array | undefined): ThreadOptions {
  const { track } = options;
  if (!track?.quiet || !scene || !isSameScene(track.quiet.scene, scene)) return options;
  return { ...options, track: { ...track, search: false } };
}
