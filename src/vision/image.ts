import sharp, { type FailOnOptions, type Sharp } from 'sharp';
import { KaomonError } from '../platform/errors.js';
import { requireReadable } from './formats.js';
import { quantisationOf } from './jpeg.js';
import type { Picture } from './types.js';

// Each vision thread decodes one picture at a time: more libvips threads would compete with the networks for the cores.
// No picture comes twice, so a cache is useless.
sharp.concurrency(1);
sharp.cache(false);

let decoded = 0;

/** How many pictures this thread has decoded. */
export const decodedPictures = (): number => decoded;

/** Shows behind transparent pixels. */
const BACKGROUND = '#ffffff';

export interface ImageLimits {
  /** Largest picture in pixels, checked before it is decoded. */
  maxPixels: number;
}

/** The end marker of a JPEG. */
const END = Uint8Array.of(0xff, 0xd9);
/**
 * Warnings of libjpeg that affect no pixel: about bytes between the last scan and the end, and about headers that cameras
 * are known to write wrongly.
 */
const HARMLESS =
  /^VipsJpeg: (?!Corrupt JPEG data: (?!\d+ extraneous bytes before marker 0xd9$))(?!premature end)/;

/**
 * Decodes a picture to upright 8-bit RGB. Colour profiles are not applied: the networks were trained on the stored values,
 * and the reference embeds them.
 * @param bytes an encoded JPEG, PNG, WebP, AVIF, GIF (first frame) or TIFF; only read
 * @returns a picture whose bytes the caller owns
 * @throws KaomonError IMAGE_FORMAT_UNKNOWN, IMAGE_TOO_LARGE, IMAGE_UNREADABLE
 */
export async function decodeImage(bytes: Uint8Array, { maxPixels }: ImageLimits): Promise<Picture> {
  const format = requireReadable(bytes);
  const image = open(bytes, format === 'JPEG' ? 'warning' : 'error');
  const { width, height } = await image.metadata().catch(refuseDamaged);
  if (width * height > maxPixels) {
    throw new KaomonError(
      'IMAGE_TOO_LARGE',
      `The picture has ${width} x ${height} pixels; at most ${maxPixels} are taken. Send a smaller one.`,
      { details: { width, height, maxPixels } },
    );
  }
  const { data, info } = await (format === 'JPEG' ? readJpeg(image, bytes) : read(image)).catch(
    refuseDamaged,
  );
  return {
    data: info.channels === 3 ? data : repeatGrey(data, info.channels),
    width: info.width,
    height: info.height,
    quantisation: format === 'JPEG' ? quantisationOf(bytes) : undefined,
    number: ++decoded,
  };
}

// decodeImage checks the limit itself, with a message that names it.
function open(bytes: Uint8Array, failOn: FailOnOptions): Sharp {
  return sharp(bytes, { failOn, limitInputPixels: false, ignoreIcc: true });
}

function read(image: Sharp) {
  return image
    .autoOrient()
    .flatten({ background: BACKGROUND })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
}

/**
 * A JPEG that libjpeg calls corrupt is refused, because it would fill in grey or noise, and a face in it could be anybody's.
 * One that only lacks its end marker, as some cameras write it, is complete and is read, as in browsers.
 */
async function readJpeg(strict: Sharp, bytes: Uint8Array) {
  try {
    return await read(strict);
  } catch (error) {
    if (isHarmless(error)) return await read(open(bytes, 'error'));
    if (!messageOf(error).includes('premature end of JPEG image')) throw error;
  }
  const ended = new Uint8Array(bytes.length + END.length);
  ended.set(bytes);
  ended.set(END, bytes.length);
  try {
    return await read(open(ended, 'warning'));
  } catch (error) {
    if (isHarmless(error)) return await read(open(ended, 'error'));
    throw error;
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : '');
const isHarmless = (error: unknown) =>
  messageOf(error)
    .split('\n')
    .every((line) => HARMLESS.test(line.trim()));

function refuseDamaged(cause: unknown): never {
  throw new KaomonError('IMAGE_UNREADABLE', 'The picture is damaged or cut off: send it again.', { cause });
}

/** Makes three equal channels of a grey one; further channels are dropped. */
function repeatGrey(data: Uint8Array, channels: number): Uint8Array {
  const pixels = data.length / channels;
  const out = new Uint8Array(pixels * 3);
  for (let i = 0; i < pixels; i++) out.fill(data[i * channels], i * 3, i * 3 + 3);
  return out;
}
