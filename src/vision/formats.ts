/** Recognises a file's format by its first bytes: a client's file name and media type are not trusted. */
import { KaomonError } from '../platform/errors.js';

interface Format {
  name: string;
  matches: (bytes: Uint8Array) => boolean;
}

/** The formats that are read. */
const READ: readonly Format[] = [
  { name: 'JPEG', matches: (b) => b[0] === 0xff && b[1] === 0xd8 && b[2] === 0xff },
  { name: 'PNG', matches: (b) => b[0] === 0x89 && startsWith(b, 'PNG', 1) },
  { name: 'WebP', matches: (b) => startsWith(b, 'RIFF') && startsWith(b, 'WEBP', 8) },
  { name: 'GIF', matches: (b) => startsWith(b, 'GIF8') },
  { name: 'AVIF', matches: (b) => brandsOf(b).some((brand) => AVIF.has(brand)) },
  {
    name: 'TIFF',
    matches: (b) => ['II*\0', 'MM\0*', 'II+\0', 'MM\0+'].some((mark) => startsWith(b, mark)) && !isRaw(b),
  },
];

const AVIF = new Set(['avif', 'avis']);
/** mif1 and msf1 are generic brands, which iPhones and Android phones write into HEIC files. */
const HEIF = new Set([
  'heic',
  'heix',
  'heim',
  'heis',
  'hevc',
  'hevx',
  'hevm',
  'hevs',
  'mif1',
  'mif2',
  'msf1',
]);

const TO_JPEG = 'save it as JPEG and send that';

/** Formats that people send but that are not supported, each with what to do. */
const NAMED: readonly (Format & { advice: string })[] = [
  {
    name: 'HEIC',
    matches: (b) => brandsOf(b).some((brand) => HEIF.has(brand)),
    advice:
      'convert it to JPEG. An iPhone takes JPEGs when Settings, Camera, Formats says "Most Compatible", an Android phone when high-efficiency pictures are off',
  },
  { name: 'camera raw', matches: isRaw, advice: TO_JPEG },
  { name: 'video', matches: isVideo, advice: 'send a single picture as JPEG' },
  {
    name: 'JPEG XL',
    matches: (b) => (b[0] === 0xff && b[1] === 0x0a) || startsWith(b, 'JXL ', 4),
    advice: TO_JPEG,
  },
  {
    name: 'JPEG 2000',
    matches: (b) => startsWith(b, 'jP  ', 4) || startsWith(b, '\xff\x4f\xff\x51'),
    advice: TO_JPEG,
  },
  { name: 'BMP', matches: (b) => startsWith(b, 'BM'), advice: TO_JPEG },
  { name: 'PDF', matches: (b) => startsWith(b, '%PDF'), advice: 'export the page as JPEG and send that' },
  { name: 'Photoshop', matches: (b) => startsWith(b, '8BPS'), advice: TO_JPEG },
  { name: 'icon', matches: (b) => startsWith(b, '\0\0\x01\0'), advice: TO_JPEG },
  { name: 'SVG', matches: (b) => /<svg[\s>]/i.test(textOf(b)), advice: 'send a photograph as JPEG' },
  {
    name: 'web page',
    matches: (b) => /<(?:!doctype )?html[\s>]/i.test(textOf(b)),
    advice: 'send the picture itself',
  },
  { name: 'ZIP', matches: (b) => startsWith(b, 'PK\x03\x04'), advice: 'unpack it and send each picture' },
];

/**
 * @returns the format's name
 * @throws KaomonError IMAGE_FORMAT_UNKNOWN, whose message names a format that people send, and says what to do
 */
export function requireReadable(bytes: Uint8Array): string {
  const read = READ.find(({ matches }) => matches(bytes));
  if (read) return read.name;
  const known = READ.map(({ name }) => name).join(', ');
  if (bytes.length === 0) {
    throw new KaomonError('IMAGE_FORMAT_UNKNOWN', `The file is empty: send a picture as ${known}.`);
  }
  const named = NAMED.find(({ matches }) => matches(bytes));
  if (!named) {
    throw new KaomonError(
      'IMAGE_FORMAT_UNKNOWN',
      `This is not a picture in a supported format: send ${known}.`,
    );
  }
  const { name, advice } = named;
  throw new KaomonError(
    'IMAGE_FORMAT_UNKNOWN',
    `${upperFirst(withArticle(name))} is not read here: ${advice}.`,
    {
      details: { format: name },
    },
  );
}

const withArticle = (name: string) => `${/^(?:[aeio]|HE|SVG)/i.test(name) ? 'an' : 'a'} ${name} file`;
const upperFirst = (text: string) => text[0].toUpperCase() + text.slice(1);

function startsWith(bytes: Uint8Array, mark: string, at = 0): boolean {
  for (let i = 0; i < mark.length; i++) if (bytes[at + i] !== mark.charCodeAt(i)) return false;
  return true;
}

function ascii(bytes: Uint8Array, from: number, to: number): string {
  return String.fromCharCode(...bytes.subarray(from, to));
}

/** The beginning of a text. */
const textOf = (bytes: Uint8Array) => ascii(bytes, 0, 512);

/** Brands of an ISO 14496-12 file, the major one first; empty for other files. */
function brandsOf(bytes: Uint8Array): string[] {
  if (!startsWith(bytes, 'ftyp', 4)) return [];
  const size = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0);
  const end = Math.min(size, bytes.length, 256);
  const brands = [ascii(bytes, 8, 12)];
  // The brand's version comes before the others.
  for (let at = 16; at + 4 <= end; at += 4) brands.push(ascii(bytes, at, at + 4));
  return brands;
}

/** Recognisable camera raw files; others (DNG, NEF, ARW) are TIFFs, and read or refused as such. */
function isRaw(bytes: Uint8Array): boolean {
  const isCanon = startsWith(bytes, 'II*\0') && startsWith(bytes, 'CR', 8);
  const marks = ['FUJIFILMCCD-RAW', 'IIU\0', 'IIRO', 'IIRS', 'MMOR'];
  return isCanon || brandsOf(bytes)[0] === 'crx ' || marks.some((mark) => startsWith(bytes, mark));
}

function isVideo(bytes: Uint8Array): boolean {
  const isBoxed = startsWith(bytes, 'ftyp', 4) || startsWith(bytes, 'moov', 4);
  const isAvi = startsWith(bytes, 'RIFF') && startsWith(bytes, 'AVI ', 8);
  return isBoxed || isAvi || startsWith(bytes, '\x1a\x45\xdf\xa3');
}
