import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeNpy, encodeNpy, NpyError } from '../../src/gallery/store/npy.js';

/** A file as NumPy writes it, from its header's text and the numbers' bytes. */
function npy(header: string, numbers: Buffer, major = 1): Buffer {
  const text = Buffer.from(`${header}\n`, 'latin1');
  const length = Buffer.alloc(major > 1 ? 4 : 2);
  if (major > 1) length.writeUInt32LE(text.length);
  else length.writeUInt16LE(text.length);
  return Buffer.concat([Buffer.from('\x93NUMPY', 'latin1'), Buffer.from([major, 0]), length, text, numbers]);
}
const floats = (...values: number[]) => Buffer.from(Float32Array.from(values).buffer);

describe('npy files', () => {
  it('come back as they were written, with a header that NumPy aligns to 64 bytes', () => {
    const vector = Float32Array.of(1, -2.5, 3e-8, 0);
    const file = encodeNpy(vector);
    assert.deepEqual(decodeNpy(file), vector);
    assert.equal((file.length - 16) % 64, 0);
    assert.match(file.toString('latin1'), /'descr': '<f4', 'fortran_order': False, 'shape': \(4,\), \}/);
  });

  it('are read in the other forms that NumPy writes a vector in', () => {
    const row = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }", floats(1, 2), 2);
    assert.deepEqual(decodeNpy(row), Float32Array.of(1, 2));
    const big = Buffer.alloc(16);
    big.writeDoubleBE(0.5, 0);
    big.writeDoubleBE(-4, 8);
    assert.deepEqual(
      decodeNpy(npy("{'descr': '>f8', 'fortran_order': False, 'shape': (2,), }", big)),
      Float32Array.of(0.5, -4),
    );
  });

  for (const [name, file, reason] of [
    ['no .npy file', Buffer.from('hello, this is text'), /not a \.npy/],
    ['an empty file', Buffer.alloc(0), /not a \.npy/],
    ['a cut header', encodeNpy(new Float32Array(4)).subarray(0, 40), /cut off/],
    ['cut numbers', encodeNpy(new Float32Array(4)).subarray(0, -3), /4 numbers/],
    ['whole numbers', npy("{'descr': '<i4', 'fortran_order': False, 'shape': (1,), }", floats(1)), /floats/],
    ['a matrix', npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }", floats(1, 2)), /vector/],
    ['Fortran order', npy("{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }", floats(1)), /Fortran/],
    ['a later version', npy("{'descr': '<f4', 'shape': (1,)}", floats(1), 9), /version 9/],
  ] as const) {
    it(`refuse ${name}`, () => {
      assert.throws(
        () => decodeNpy(file),
        (error: Error) => error instanceof NpyError && reason.test(error.message),
      );
    });
  }
});
