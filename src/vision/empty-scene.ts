/** Whether a frame shows what an earlier one showed, in which nobody was: then it need not be searched, nor even decoded. */
import { sceneOfJpeg } from './jpeg-scene.js';
import { nativeLoops } from './pixels.js';
import { isSameScene } from './track.js';
import type { Analysis, EmptyScene, Picture, ThreadOptions } from './types.js';

/** The largest frame that is looked at on the main thread: docs/performance.md. Blocks take time, however few bytes they are. */
const MOST_HERE = { bytes: 65_536, pixels: 2_100_000 };

/** @param scene the picture's, see `sceneOf` */
export function emptySceneOf(bytes: Uint8Array, { width, height }: Picture, scene: Uint8Array): EmptyScene {
  return { width, height, scene, coefficients: sceneOfJpeg(bytes) };
}

/** The answer for a frame that is as the empty one; undefined where it is not, or where only its pixels can tell. */
export function answerAsEmpty(bytes: Uint8Array, { track }: ThreadOptions): Analysis | undefined {
  const before = track?.quiet?.coefficients;
  if (!track?.quiet || !before) return undefined;
  const begun = performance.now();
  const now = sceneOfJpeg(bytes, before);
  if (!now || !isSameScene(before.cells, now.cells)) return undefined;
  const { width, height } = track.quiet;
  const times = { queue: 0, decode: performance.now() - begun, detect: 0, embed: 0 };
  return { width, height, faces: [], times, searched: false };
}

/**
 * Looks at a frame on the calling thread, where that costs it less than to hand the frame to another one.
 * @returns the answer, or what another thread is to look for: not again at what was looked at
 */
export function lookHere(
  bytes: Uint8Array,
  options: ThreadOptions,
): { answer: Analysis } | { options: ThreadOptions } {
  const { track } = options;
  const before = track?.quiet?.coefficients;
  if (!track?.quiet || !before || !nativeLoops || bytes.length > MOST_HERE.bytes) return { options };
  if (before.width * before.height > MOST_HERE.pixels) return { options };
  const answer = answerAsEmpty(bytes, options);
  if (answer) return { answer };
  return { options: { ...options, track: { ...track, quiet: { ...track.quiet, coefficients: undefined } } } };
}

/** What to look for in a frame whose pixels are known: not for new faces where it is as the empty one. */
export function withoutQuietSearch(options: ThreadOptions, scene: Uint8Array | undefined): ThreadOptions {
  const { track } = options;
  if (!track?.quiet || !scene || !isSameScene(track.quiet.scene, scene)) return options;
  return { ...options, track: { ...track, search: false } };
}
