import { createBitReader, TABLE_LENGTH, tableOf } from './huffman.js';

/**
 * The means of a JPEG's blocks, summed up in cells, from its entropy-coded data. All sums are modulo 2^32. In C++:
 * native/pixels/blocks.h.
 * @param bytes only read
 * @param at where the scan's data begin
 * @param sampling blocks across and down that each of one to three components has in a unit of the scan
 * @param tables of each component those of its means and of its other coefficients (`HuffmanTable.packed`)
 * @param restart units between two restarts; 0: none
 * @param columnOf the cell's column of each block across of the first component, and `rowOf` its row
 * @param stride cells in a row
 * @param sums added to: of each cell the means of the first component's blocks, in steps; `counts`: how many there are
 * @returns whether all blocks were there
 */
export function blockSums(
  ...[bytes, at, sampling, tables, unitsAcross, unitsDown, restart, columnOf, rowOf, stride, sums, counts]: [
    ...[bytes: Uint8Array, at: number, sampling: Int32Array, tables: Int32Array],
    ...[unitsAcross: number, unitsDown: number, restart: number],
    ...[columnOf: Int32Array, rowOf: Int32Array, stride: number, sums: Int32Array, counts: Int32Array],
  ]
): boolean {
  const components = Array.from({ length: sampling.length / 2 }, (_, i) => {
    const [across, down] = sampling.subarray(2 * i);
    const [dc, ac] = [2 * i, 2 * i + 1].map((number) =>
      tableOf(tables.subarray(number * TABLE_LENGTH, (number + 1) * TABLE_LENGTH)),
    );
    return { blocks: across * down, dc, ac };
  });
  const [across, down] = sampling;
  const means = new Int32Array(components.length);
  const reader = createBitReader(bytes, at);
  const units = unitsAcross * unitsDown;

  for (let number = 0; number < units; number++) {
    if (restart > 0 && number > 0 && number % restart === 0) {
      if (!reader.restart()) return false;
      means.fill(0);
    }
    const left = (number % unitsAcross) * across;
    const top = Math.floor(number / unitsAcross) * down;
    for (let i = 0; i < components.length; i++) {
      const { blocks, dc, ac } = components[i];
      for (let block = 0; block < blocks; block++) {
        const difference = reader.difference(dc);
        if (Number.isNaN(difference) || !reader.skipBlock(ac)) return false;
        means[i] += difference;
        if (i > 0) continue;
        const cell = rowOf[top + Math.floor(block / across)] * stride + columnOf[left + (block % across)];
        sums[cell] += means[0];
        counts[cell] += 1;
      }
    }
    if (reader.isOver()) return false;
  }
  return true;
}
