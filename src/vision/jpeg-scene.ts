/**
 * A JPEG's brightness in few cells, from its coefficients: the mean of each 8 x 8 block is one of them (ITU-T T.81), so that
 * nothing has to be transformed. A tenth of the time of decoding it, by a camera's frame that shows an empty room.
 */
import { type HuffmanTable, huffmanTable, NO_CODES, TABLE_LENGTH } from './huffman.js';
import { SCAN, segmentsOf, TABLES } from './jpeg.js';
import { pixelLoops } from './pixels.js';
import { SCENE } from './track.js';
import type { CellScene } from './types.js';

const [START_OF_FRAME, EXTENDED, HUFFMAN, RESTART, ADOBE] = [0xc0, 0xc1, 0xc4, 0xdd, 0xee];
/** Blocks of a component in a unit of the scan, along each side. */
const MOST_SAMPLING = 4;
/** Four of each class are the most that a frame can name; a segment takes some work, whatever it is. */
const MOST_TABLES = 8;
const MOST_SEGMENTS = 64;

interface Component {
  id: number;
  across: number;
  down: number;
  /** Its quantisation table's number. */
  table: number;
  /** Of its means, and of its other coefficients. */
  dc: HuffmanTable;
  ac: HuffmanTable;
}

interface Header {
  width: number;
  height: number;
  /** The first is the brightness. */
  components: Component[];
  /** Steps of the means, by the table's number. */
  steps: number[];
  /** Units of the scan between two restarts; 0: none. */
  restart: number;
  /** Where the scan's data begin. */
  at: number;
}

/** All that a header tells of what is behind it. */
interface Scan {
  /** The picture's first bytes, up to the scan's data. */
  header: Uint8Array;
  width: number;
  height: number;
  /** Grey levels in a step of a block's mean. */
  step: number;
  /** See `blockSums`. */
  sampling: Int32Array;
  tables: Int32Array;
  unitsAcross: number;
  unitsDown: number;
  restart: number;
  columnOf: Int32Array;
  rowOf: Int32Array;
}

/** The last that were new, the newest in front: the frames of a camera all have the same header. */
const recent: Scan[] = [];
const MOST_RECENT = 8;
/** A longer header is not kept, bytes: each thread would have eight of them for good, of up to 4 MB. */
const MOST_KEPT = 65_536;

// A row and a column more take what lies beyond the picture.
const STRIDE = SCENE.columns + 1;
const sums = new Int32Array(STRIDE * (SCENE.rows + 1));
const counts = new Int32Array(sums.length);

/**
 * @param bytes of a picture; only read
 * @param size of the stored picture, where one of another size is of no use
 * @returns undefined for all but a whole JPEG of eight bits in one sequential scan, which is what cameras and browsers make
 */
export function sceneOfJpeg(
  bytes: Uint8Array,
  size?: { width: number; height: number },
): CellScene | undefined {
  const known = recent.find(({ header }) => beginsWith(bytes, header));
  const scan = known ?? readScan(bytes, size);
  if (!scan) return undefined;
  const { header, width, height, step, sampling, tables, unitsAcross, unitsDown, restart, columnOf, rowOf } =
    scan;
  if (size && (size.width !== width || size.height !== height)) return undefined;
  sums.fill(0);
  counts.fill(0);
  const isWhole = pixelLoops.blockSums(
    ...([bytes, header.length, sampling, tables, unitsAcross, unitsDown, restart] as const),
    ...([columnOf, rowOf, STRIDE, sums, counts] as const),
  );
  if (!isWhole) return undefined;
  if (!known && header.length <= MOST_KEPT) {
    // A copy, which `slice` of a Buffer is not: the frame's memory may go on to another thread.
    recent.unshift({ ...scan, header: Uint8Array.from(header) });
    recent.splice(MOST_RECENT);
  }
  const cells = new Uint8Array(SCENE.columns * SCENE.rows);
  for (let row = 0, cell = 0; row < SCENE.rows; row++)
    for (let column = 0; column < SCENE.columns; column++, cell++) {
      const at = row * STRIDE + column;
      if (counts[at] > 0) cells[cell] = Math.min(255, Math.max(0, (sums[at] * step) / counts[at] + 128));
    }
  return { width, height, cells };
}

const beginsWith = (bytes: Uint8Array, header: Uint8Array) =>
  bytes.length > header.length && Buffer.compare(bytes.subarray(0, header.length), header) === 0;

/** @returns undefined for what {@link sceneOfJpeg} does not read; its `header` is a part of the picture */
function readScan(bytes: Uint8Array, size: { width: number; height: number } | undefined): Scan | undefined {
  const read = readHeader(bytes, size);
  if (!read) return undefined;
  const { width, height, components, steps, restart, at } = read;
  const [brightness] = components;
  const most = { across: 1, down: 1 };
  for (const { across, down } of components) {
    most.across = Math.max(most.across, across);
    most.down = Math.max(most.down, down);
  }
  // In one of several components there are as many blocks as pixels ask for; alone its blocks are not put into units.
  const isAlone = components.length === 1;
  if (!isAlone && (brightness.across < most.across || brightness.down < most.down)) return undefined;
  const unit = isAlone ? { across: 1, down: 1 } : brightness;
  const unitsAcross = Math.ceil(width / (8 * unit.across));
  const unitsDown = Math.ceil(height / (8 * unit.down));
  const tables = new Int32Array(2 * components.length * TABLE_LENGTH);
  for (const [i, { dc, ac }] of components.entries()) {
    tables.set(dc.packed, 2 * i * TABLE_LENGTH);
    tables.set(ac.packed, (2 * i + 1) * TABLE_LENGTH);
  }
  return {
    header: bytes.subarray(0, at),
    ...{ width, height, tables, unitsAcross, unitsDown, restart },
    step: steps[brightness.table] / 8,
    sampling: Int32Array.from(isAlone ? [1, 1] : components.flatMap(({ across, down }) => [across, down])),
    columnOf: cellsOf(unitsAcross * unit.across, width, SCENE.columns),
    rowOf: cellsOf(unitsDown * unit.down, height, SCENE.rows),
  };
}

/** The cell in which each block's middle lies; one behind the last: beyond the picture, where encoders fill up. */
function cellsOf(blocks: number, pixels: number, cells: number): Int32Array {
  const cellOf = new Int32Array(blocks);
  for (let block = 0; block < blocks; block++) {
    const middle = Math.min(block * 8 + 4, (block * 8 + pixels) / 2);
    cellOf[block] = block * 8 < pixels ? Math.floor((middle * cells) / pixels) : cells;
  }
  return cellOf;
}

/** @returns undefined for what {@link sceneOfJpeg} does not read, without much work: it may be made to cost some */
function readHeader(
  bytes: Uint8Array,
  size: { width: number; height: number } | undefined,
): Header | undefined {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return undefined;
  const header: Header = { width: 0, height: 0, components: [], steps: [], restart: 0, at: 0 };
  const tables: Tables = { of: new Map(), read: 0 };
  let segments = 0;
  for (const { marker, segment, end } of segmentsOf(bytes)) {
    if (end > bytes.length || ++segments > MOST_SEGMENTS) return undefined;
    if (marker === START_OF_FRAME || marker === EXTENDED) {
      if (!readFrame(segment, header)) return undefined;
      if (size && (size.width !== header.width || size.height !== header.height)) return undefined;
    } else if (marker === TABLES) readSteps(segment, header.steps);
    else if (marker === HUFFMAN) {
      if (!readTables(segment, tables)) return undefined;
    } else if (marker === RESTART) {
      if (segment.length < 2) return undefined;
      header.restart = segment[0] * 256 + segment[1];
    } else if (marker === ADOBE && segment[11] === 0) {
      // Colours as they are, without a brightness: whoever comes in may change another one only.
      return undefined;
    } else if (marker === SCAN) {
      header.at = end;
      return isWholeScan(segment, header, tables.of) ? header : undefined;
    } else if (marker >= 0xc2 && marker <= 0xcf) return undefined;
  }
  return undefined;
}

/** @returns whether it is a frame of eight bits in one or three components, the first of which is the brightness */
function readFrame(segment: Uint8Array, header: Header): boolean {
  const [bits, high, low, wideHigh, wideLow, count] = segment;
  if (bits !== 8 || (count !== 1 && count !== 3) || segment.length < 6 + 3 * count) return false;
  header.height = high * 256 + low;
  header.width = wideHigh * 256 + wideLow;
  header.components = Array.from({ length: count }, (_, i) => {
    const [id, sampling, table] = segment.subarray(6 + 3 * i);
    return { id, across: sampling >> 4, down: sampling & 15, table, dc: NO_CODES, ac: NO_CODES };
  });
  const isOne = (side: number) => side >= 1 && side <= MOST_SAMPLING;
  const isRgb = String.fromCharCode(...header.components.map(({ id }) => id)) === 'RGB';
  return (
    !isRgb &&
    header.width > 0 &&
    header.height > 0 &&
    header.components.every(({ across, down }) => isOne(across) && isOne(down))
  );
}

function readSteps(segment: Uint8Array, steps: number[]): void {
  for (let at = 0; at < segment.length;) {
    const isWide = segment[at] >> 4 !== 0;
    steps[segment[at] & 15] = isWide ? segment[at + 1] * 256 + segment[at + 2] : segment[at + 1];
    at += 1 + (isWide ? 128 : 64);
  }
}

/** By their class and number, and how many were read. */
interface Tables {
  of: Map<number, HuffmanTable>;
  read: number;
}

function readTables(segment: Uint8Array, tables: Tables): boolean {
  for (let at = 0; at < segment.length;) {
    const made = ++tables.read <= MOST_TABLES && huffmanTable(segment.subarray(at + 1));
    if (!made) return false;
    tables.of.set(segment[at], made.table);
    at += 1 + made.length;
  }
  return true;
}

/** Gives the components their tables. @returns whether the scan has all of them, in their order, and is the only one */
function isWholeScan(
  segment: Uint8Array,
  { components, steps }: Header,
  tables: ReadonlyMap<number, HuffmanTable>,
): boolean {
  if (components.length === 0 || segment[0] !== components.length) return false;
  for (const [i, component] of components.entries()) {
    const [id, numbers] = segment.subarray(1 + 2 * i);
    const [dc, ac] = [tables.get(numbers >> 4), tables.get(16 | (numbers & 15))];
    if (id !== component.id || !dc || !ac) return false;
    Object.assign(component, { dc, ac });
  }
  return steps[components[0].table] > 0;
}
