import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { KaomonError } from '../../../src/platform/errors.js';
import { parseTorchState, readTorchState } from '../../../src/models/weights/torch-state.js';
import { SHARED_MISSING, shared } from '../../support/shared.js';
import { seededTensor } from '../../support/seeded-weights.js';
import {
  PickleWriter,
  type TensorToWrite,
  writeLegacy,
  writeStoredZip,
  writeZip,
} from '../../support/torch-files.js';

const bytesOf = (...numbers: number[]) => new Uint8Array(Float32Array.from(numbers).buffer);
const tensor = (name: string, shape: number[], ...numbers: number[]): TensorToWrite => ({
  name,
  shape,
  type: 'FloatStorage',
  data: bytesOf(...numbers),
});
const refusal = (words: RegExp) => (error: unknown) =>
  error instanceof KaomonError &&
  error.code === 'SETUP' &&
  error.message.includes('net.pt') &&
  words.test(error.message);
const read = (bytes: Buffer) => parseTorchState(bytes, 'net.pt');

const FORMATS = { legacy: writeLegacy, zip: writeZip };
const SMALL = [tensor('a.weight', [2, 3], 1, 2, 3, 4, 5, 6), tensor('a.bias', [2], 7, 8)];

for (const [format, write] of Object.entries(FORMATS)) {
  describe(`state dict, ${format}`, () => {
    it('gives the tensors in order', async () => {
      const state = await read(write(SMALL));
      assert.deepEqual(state.names, ['a.weight', 'a.bias']);
      assert.deepEqual(state.tensor('a.weight', [2, 3]), {
        shape: [2, 3],
        data: Float32Array.of(1, 2, 3, 4, 5, 6),
      });
      assert.deepEqual(state.values('a.bias', 2), Float32Array.of(7, 8));
    });

    it('honours offsets, strides, shared storages, Parameters and storages from a GPU', async () => {
      const whole = {
        type: 'FloatStorage',
        data: bytesOf(0, 1, 2, 3, 4, 5, 6, 7),
        storage: 's',
        location: 'cuda:0',
      };
      const state = await read(
        write([
          { ...whole, name: 'turned', shape: [2, 3], offset: 1, strides: [1, 2] },
          { ...whole, name: 'tail', shape: [2], offset: 6, parameter: true },
          { ...whole, name: 'repeated', shape: [2, 2], offset: 3, strides: [0, 1] },
          { ...whole, name: 'deep', shape: [2, 2, 2], strides: [4, 1, 2] },
          { ...whole, name: 'one', shape: [], offset: 4 },
        ]),
      );
      assert.deepEqual([...state.tensor('turned').data], [1, 3, 5, 2, 4, 6]);
      assert.deepEqual([...state.values('tail', 2)], [6, 7]);
      assert.deepEqual([...state.tensor('repeated').data], [3, 4, 3, 4]);
      assert.deepEqual([...state.tensor('deep').data], [0, 2, 1, 3, 4, 6, 5, 7]);
      assert.deepEqual(state.tensor('one'), { shape: [], data: Float32Array.of(4) });
    });

    it('reads the other floating types as float32', async () => {
      const double = new Uint8Array(Float64Array.of(0.1, -2).buffer);
      const half = new Uint8Array(Uint16Array.of(0x3c00, 0xc100, 0x0001, 0x7c00).buffer);
      const brain = new Uint8Array(Uint16Array.of(0x3f80, 0xc020).buffer);
      const state = await read(
        write([
          { name: 'double', shape: [2], type: 'DoubleStorage', data: double },
          { name: 'half', shape: [4], type: 'HalfStorage', data: half },
          { name: 'brain', shape: [2], type: 'BFloat16Storage', data: brain },
        ]),
      );
      assert.deepEqual([...state.tensor('double').data], [Math.fround(0.1), -2]);
      assert.deepEqual([...state.tensor('half').data], [1, -2.5, 2 ** -24, Infinity]);
      assert.deepEqual([...state.tensor('brain').data], [1, -2.5]);
    });

    it('takes no second copy of numbers that are aligned', async () => {
      const bytes = write(SMALL);
      let aligned = 0;
      for (const shift of [0, 1, 2, 3]) {
        const moved = Buffer.from(new ArrayBuffer(bytes.length + 4), shift, bytes.length);
        bytes.copy(moved);
        if ((await read(moved)).tensor('a.weight').data.buffer === moved.buffer) aligned += 1;
      }
      assert.equal(aligned, 1, 'at one of four places in memory the numbers are aligned');
    });

    it('refuses by name a tensor that is missing, of another shape or of whole numbers', async () => {
      const state = await read(
        write([...SMALL, seededTensor({ name: 'bn.num_batches_tracked', shape: [] })]),
      );
      assert.throws(() => state.tensor('b.weight'), refusal(/no tensor "b.weight"/));
      assert.throws(
        () => state.tensor('a.weight', [3, 2]),
        refusal(/"a.weight" has the shape \[2, 3\], not \[3, 2\]/),
      );
      assert.throws(() => state.tensor('bn.num_batches_tracked'), refusal(/int64/));
    });

    it('refuses a tensor that reaches out of its storage, or asks for more than memory', async () => {
      const [good] = SMALL;
      for (const bad of [
        { offset: 1 },
        { offset: -1 },
        { strides: [3, 2] },
        { shape: [7, 1] },
        { strides: [1] },
      ]) {
        await assert.rejects(
          read(write([{ ...good, ...bad }])),
          refusal(/a tensor is malformed/),
          JSON.stringify(bad),
        );
      }
      const endless = { ...good, shape: [2 ** 30, 2 ** 30], strides: [0, 0] };
      await assert.rejects(read(write([endless])), refusal(/malformed/));
    });

    it('refuses a file that is cut off, wherever it is', async () => {
      const bytes = write(SMALL);
      for (let length = 0; length < bytes.length; length++) {
        await assert.rejects(
          read(bytes.subarray(0, length)),
          refusal(/./),
          `${length} of ${bytes.length} bytes`,
        );
      }
    });

    it('survives any byte being another: it refuses or it reads', async () => {
      const bytes = write(SMALL);
      for (let at = 0; at < bytes.length; at++) {
        for (const value of [0x00, 0xff, bytes[at] ^ 0x01, 0x52]) {
          const damaged = Buffer.from(bytes);
          damaged[at] = value;
          try {
            const state = await read(damaged);
            for (const name of state.names) state.tensor(name);
          } catch (error) {
            assert.ok(error instanceof KaomonError, `byte ${at} as ${value}: ${String(error)}`);
          }
        }
      }
    });
  });
}

describe('state dict, hostile', () => {
  /** A legacy file whose object is this pickle. */
  const around = (pickle: Buffer) =>
    Buffer.concat([
      Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex'),
      new PickleWriter().integer(1001).end(),
      new PickleWriter().raw(0x7d).text('little_endian').raw(0x88, 0x73).end(),
      pickle,
      new PickleWriter().raw(0x5d).end(),
    ]);

  it('names a global that no state dict needs and never calls it', async () => {
    const call = new PickleWriter()
      .global('os', 'system')
      .raw(0x28)
      .text('touch /tmp/kaomon-was-here')
      .raw(0x74, 0x52);
    await assert.rejects(read(around(call.end())), refusal(/"os system"/));
    const zip = writeStoredZip([['archive/data.pkl', new PickleWriter().global('builtins', 'eval').end()]]);
    await assert.rejects(read(zip), refusal(/"builtins eval"/));
    const inherited = new PickleWriter().global('torch', 'toString').end();
    await assert.rejects(read(around(inherited)), refusal(/"torch toString"/));
  });

  it('names an opcode that no state dict needs', async () => {
    for (const opcode of [0x81, 0x69, 0x6f, 0x93, 0x95, 0x8b, 0x49]) {
      const name = new RegExp(`opcode 0x${opcode.toString(16)}`);
      await assert.rejects(read(around(new PickleWriter().raw(opcode).end())), refusal(name));
    }
    await assert.rejects(read(around(Buffer.of(0x80, 4, 0x2e))), refusal(/protocol 4/));
  });

  it('refuses misuse of what it knows', async () => {
    const cases: [PickleWriter, RegExp][] = [
      [new PickleWriter(), /stack is empty/],
      [new PickleWriter().raw(0x74), /no beginning/],
      [new PickleWriter().raw(0x68, 9), /recalls entry 9/],
      [new PickleWriter().raw(0x71, 0), /remembers what is not there/],
      [new PickleWriter().raw(0x4e, 0x29, 0x52), /calls something that is not a function/],
      [new PickleWriter().raw(0x4e, 0x4e, 0x62), /attributes/],
      [new PickleWriter().raw(0x4e, 0x4e, 0x61), /not a list/],
      [new PickleWriter().raw(0x5d, 0x4e, 0x4e, 0x73), /not a dict/],
      [new PickleWriter().text('x').raw(0x51), /a storage is malformed/],
      [
        new PickleWriter().global('torch', 'FloatStorage').raw(0x29, 0x52),
        /in a way that state dicts do not/,
      ],
      [new PickleWriter().integer(1), /does not hold a state dict/],
      [new PickleWriter().raw(0x7d).text('x').integer(1).raw(0x73), /entry "x" is not a tensor/],
    ];
    for (const [pickle, words] of cases) await assert.rejects(read(around(pickle.end())), refusal(words));
  });

  it('refuses a bad magic number, protocol and byte order', async () => {
    await assert.rejects(read(Buffer.from('hello, I am no file of weights')), refusal(/magic number/));
    await assert.rejects(read(Buffer.alloc(0)), refusal(/magic number/));
    const bytes = writeLegacy(SMALL);
    bytes[20] ^= 1;
    await assert.rejects(read(bytes), refusal(/protocol is not 1001/));
    await assert.rejects(read(writeZip(SMALL, 'big')), refusal(/big-endian/));
  });

  it('refuses a storage whose length is not the announced one', async () => {
    const bytes = writeLegacy(SMALL);
    const at = bytes.length - (8 + 8);
    bytes.writeBigInt64LE(2n ** 40n, at);
    await assert.rejects(read(bytes), refusal(/storage 1 has 1099511627776 elements where 2 were announced/));
  });

  it('refuses a compressed, an encrypted and a repeated entry', async () => {
    const zip = writeZip(SMALL);
    const central = zip.indexOf(Buffer.from('504b0102', 'hex'));
    const change = (offset: number, value: number) => {
      const copy = Buffer.from(zip);
      copy.writeUInt16LE(value, central + offset);
      return copy;
    };
    await assert.rejects(read(change(10, 8)), refusal(/archive\/data.pkl is compressed/));
    await assert.rejects(read(change(8, 1)), refusal(/encrypted/));
    const entry = ['archive/data.pkl', Buffer.of(0x2e)] as const;
    await assert.rejects(read(writeStoredZip([entry, entry])), refusal(/twice/));
    await assert.rejects(read(writeStoredZip([['x', Buffer.of(1)]])), refusal(/0 files data.pkl/));
  });

  it('reads zip64 directories', async () => {
    const zip = writeZip(SMALL);
    const end = zip.length - 22;
    const record = Buffer.alloc(56);
    record.writeUInt32LE(0x06064b50, 0);
    record.writeBigUInt64LE(BigInt(zip.readUInt16LE(end + 10)), 32);
    record.writeBigUInt64LE(BigInt(zip.readUInt32LE(end + 16)), 48);
    const locator = Buffer.alloc(20);
    locator.writeUInt32LE(0x07064b50, 0);
    locator.writeBigUInt64LE(BigInt(end), 8);
    const last = Buffer.from(zip.subarray(end));
    last.writeUInt16LE(0xffff, 10);
    last.writeUInt32LE(0xffffffff, 16);
    const state = await read(Buffer.concat([zip.subarray(0, end), record, locator, last]));
    assert.deepEqual(state.names, ['a.weight', 'a.bias']);
  });
});

describe('state dict, published', { skip: SHARED_MISSING }, () => {
  it('reads the published MTCNN weights', async () => {
    const state = await readTorchState(shared('weights', 'mtcnn', 'pnet.pt'));
    assert.deepEqual(state.tensor('conv1.weight', [10, 3, 3, 3]).shape, [10, 3, 3, 3]);
    assert.equal(state.names.length, 13);
    const slopes = [...state.values('prelu1.weight', 10)];
    assert.equal(slopes.filter((slope) => slope < 0).length, 6);
    assert.equal(slopes.filter((slope) => slope > 1).length, 1);
  });

  it('has the seeded twin of the published facenet file', async () => {
    const spec = JSON.parse(
      await readFile(shared('weights', 'inception-resnet-v1', 'state-dict.json'), 'utf8'),
    ) as { tensors: { name: string; shape: number[] }[] };
    const state = await read(writeLegacy(spec.tensors.slice(0, 12).map(seededTensor)));
    assert.deepEqual(state.names.slice(0, 2), ['conv2d_1a.conv.weight', 'conv2d_1a.bn.weight']);
  });
});
