import sharp from 'sharp';
import { KaomonError } from '../errors.js';
import type { Picture } from './types.js';

// Each vision thread decodes one picture at a time: more libvips threads would only fight the networks for the
// cores, and no picture comes twice.
sharp.concurrency(1);
sharp.cache(false);

/** What is behind transparent pixels. */
const BACKGROUND = '#ffffff';

export interface ImageLimits {
  /** Largest picture in pixels, checked before it is decoded. */
  maxPixels: number;
}

/** The formats that are read, by how their files begin; the name and the media type a client gives are not trusted. */
const SIGNATURES: { format: string; matches: (b: Uint8Array) => boolean }[] = [
  { format: 'JPEG', matches: (b) => b[0] === 0xff && b[1] === 0xd8 && b[2] === 0xff },
  { format: 'PNG', matches: (b) => ascii(b, 1, 4) === 'PNG' && b[0] === 0x89 },
  { format: 'WebP', matches: (b) => ascii(b, 0, 4) === 'RIFF' && ascii(b, 8, 12) === 'WEBP' },
  { format: 'GIF', matches: (b) => ascii(b, 0, 4) === 'GIF8' },
  {
    format: 'AVIF',
    matches: (b) => ascii(b, 4, 8) === 'ftyp' && ['avif', 'avis', 'mif1'].includes(ascii(b, 8, 12)),
  },
  { format: 'TIFF', matches: (b) => ['II*\0', 'MM\0*'].includes(ascii(b, 0, 4)) },
];

function ascii(bytes: Uint8Array, from: number, to: number): string {
  return String.fromCharCode(...bytes.subarray(from, to));
}

/**
 * Decodes a picture to upright 8-bit RGB. Colour profiles are not applied: the networks were trained on, and the
 * reference embeds, the stored values.
 * @param bytes an encoded JPEG, PNG, WebP, AVIF, GIF (first frame) or TIFF; only read
 * @returns a picture whose bytes the caller owns
 * @throws KaomonError IMAGE_FORMAT_UNKNOWN, IMAGE_TOO_LARGE, IMAGE_UNREADABLE
 */
export async function decodeImage(bytes: Uint8Array, { maxPixels }: ImageLimits): Promise<Picture> {
  if (!SIGNATURES.some(({ matches }) => matches(bytes))) {
    const known = SIGNATURES.map(({ format }) => format).join(', ');
    throw new KaomonError(
      'IMAGE_FORMAT_UNKNOWN',
      `This is no picture in a format that is read here: send ${known}.`,
    );
  }
  // Pixels are counted from the header below, with a message that names the limit.
  const image = sharp(bytes, { failOn: 'error', limitInputPixels: false, ignoreIcc: true });
  const { width, height } = await image.metadata().catch(refuseDamaged);
  if (width * height > maxPixels) {
    throw new KaomonError(
      'IMAGE_TOO_LARGE',
      `The picture has ${width} x ${height} pixels; at most ${maxPixels} are taken. Send a smaller one.`,
      { details: { width, height, maxPixels } },
    );
  }
  const { data, info } = await image
    .autoOrient()
    .flatten({ background: BACKGROUND })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch(refuseDamaged);
  if (info.channels === 3) return { data, width: info.width, height: info.height };
  return { data: repeatGrey(data, info.channels), width: info.width, height: info.height };
}

function refuseDamaged(cause: unknown): never {
  throw new KaomonError('IMAGE_UNREADABLE', 'The picture is damaged or cut off: send it again.', { cause });
}

/** One grey channel (and perhaps others behind it) as three equal ones. */
function repeatGrey(data: Uint8Array, channels: number): Uint8Array {
  const pixels = data.length / channels;
  const out = new Uint8Array(pixels * 3);
  for (let i = 0; i < pixels; i++) out.fill(data[i * channels], i * 3, i * 3 + 3);
  return out;
}
