/** What the measuring scripts share: parts of the built server, and a pack opened on the CPU. */
process.env.ORT_DISABLE_TELEMETRY ??= '1';
export const DIST = new URL('../../dist/src/', import.meta.url);
const { loadConfig } = await import(new URL('settings/config.js', DIST).href);
const { preparePack } = await import(new URL('models/packs/prepare.js', DIST).href);
const { createAnalyzer } = await import(new URL('vision/analyzer.js', DIST).href);

/** @param {string} id of a pack @param {number} [minFaceSize] pixels; default: the setting's */
export async function openPack(id, minFaceSize) {
  const config = loadConfig({});
  const pack = await preparePack(id, { modelsDir: config.MODELS_DIR });
  const analyzer = await createAnalyzer({
    pack,
    providers: ['cpu'],
    gpuDevice: 0,
    threads: 1,
    maxPixels: 25e6,
    minFaceSize: minFaceSize ?? config.MIN_FACE_SIZE,
  });
  return { config, pack, analyzer };
}
