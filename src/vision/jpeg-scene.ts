/**
 * A JPEG's brightness in few cells, from its coefficients: the mean of each 8 x 8 block is one of them (ITU-T T.81), so that
 * nothing has to be transformed. A tenth of the time of decoding it, by a camera's frame that shows an empty room.
 */
import { createBitReader, type HuffmanTable, huffmanTable, NO_CODES } from './huffman.js';
import { SCAN, segmentsOf, TABLES } from './jpeg.js';

const [START_OF_FRAME, EXTENDED, HUFFMAN, RESTART] = [0xc0, 0xc1, 0xc4, 0xdd];
/** Blocks of a component in a unit of the scan, along each side. */
const MOST_SAMPLING = 4;

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

/** A frame's brightness. */
export interface CellScene {
  /** Of the stored picture, which may lie on its side. */
  width: number;
  height: number;
  /** Mean grey level of each cell, row by row. */
  cells: Uint8Array;
}

/**
 * @param bytes of a picture; only read
 * @returns undefined for all but a whole JPEG of eight bits in one sequential scan, which is what cameras and browsers make
 */
export function sceneOfJpeg(
  bytes: Uint8Array,
  { columns, rows }: { columns: number; rows: number },
): CellScene | undefined {
  const header = readHeader(bytes);
  if (!header) return undefined;
  const { width, height, components, steps, restart } = header;
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
  const [unitsAcross, unitsDown] = [
    Math.ceil(width / (8 * unit.across)),
    Math.ceil(height / (8 * unit.down)),
  ];
  const columnOf = cellsOf(unitsAcross * unit.across, width, columns);
  const rowOf = cellsOf(unitsDown * unit.down, height, rows);
  const sums = new Float64Array(columns * rows);
  const counts = new Uint32Array(columns * rows);
  const step = steps[brightness.table] / 8;
  const means = components.map(() => 0);
  const reader = createBitReader(bytes, header.at);
  const units = unitsAcross * unitsDown;

  for (let number = 0; number < units; number++) {
    if (restart > 0 && number > 0 && number % restart === 0) {
      if (!reader.restart()) return undefined;
      means.fill(0);
    }
    const left = (number % unitsAcross) * unit.across;
    const top = Math.floor(number / unitsAcross) * unit.down;
    for (let i = 0; i < components.length; i++) {
      const { across, down, dc, ac } = components[i];
      const blocks = isAlone ? 1 : across * down;
      for (let block = 0; block < blocks; block++) {
        means[i] += reader.difference(dc);
        if (!reader.skipBlock(ac)) return undefined;
        if (i > 0) continue;
        const column = columnOf[left + (block % unit.across)];
        const row = rowOf[top + Math.floor(block / unit.across)];
        if (column < 0 || row < 0) continue;
        sums[row * columns + column] += means[0] * step + 128;
        counts[row * columns + column] += 1;
      }
    }
    if (reader.isOver() || means.some(Number.isNaN)) return undefined;
  }
  const cells = new Uint8Array(columns * rows);
  for (let cell = 0; cell < cells.length; cell++)
    cells[cell] = counts[cell] > 0 ? Math.min(255, Math.max(0, sums[cell] / counts[cell])) : 0;
  return { width, height, cells };
}

/** The cell in which each block's middle lies; -1: beyond the picture, where encoders fill up. */
function cellsOf(blocks: number, pixels: number, cells: number): Int32Array {
  return Int32Array.from({ length: blocks }, (_, block) => {
    const middle = Math.min(block * 8 + 4, (block * 8 + pixels) / 2);
    return block * 8 < pixels ? Math.floor((middle * cells) / pixels) : -1;
  });
}

/** @returns undefined for what {@link sceneOfJpeg} does not read */
function readHeader(bytes: Uint8Array): Header | undefined {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return undefined;
  const header: Header = { width: 0, height: 0, components: [], steps: [], restart: 0, at: 0 };
  const tables = new Map<number, HuffmanTable>();
  for (const { marker, segment, end } of segmentsOf(bytes)) {
    if (end > bytes.length) return undefined;
    if (marker === START_OF_FRAME || marker === EXTENDED) {
      if (!readFrame(segment, header)) return undefined;
    } else if (marker === TABLES) readSteps(segment, header.steps);
    else if (marker === HUFFMAN) {
      if (!readTables(segment, tables)) return undefined;
    } else if (marker === RESTART) header.restart = segment[0] * 256 + segment[1];
    else if (marker === SCAN) {
      header.at = end;
      return isWholeScan(segment, header, tables) ? header : undefined;
    } else if (marker >= 0xc2 && marker <= 0xcf) return undefined;
  }
  return undefined;
}

/** @returns whether it is a frame of eight bits in one or three components */
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
  return (
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

/** @param tables by their class and number */
function readTables(segment: Uint8Array, tables: Map<number, HuffmanTable>): boolean {
  for (let at = 0; at < segment.length;) {
    const made = huffmanTable(segment.subarray(at + 1));
    if (!made) return false;
    tables.set(segment[at], made.table);
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
