import { deflateRawSync } from 'node:zlib';

/** What the manifest of the bomb unpacks to, bytes: a thousand times its size. */
const UNPACKED = 390_000_000;
const OVERLAID = 3000;

interface Laid {
  name: string;
  packed: Buffer;
  /** What it unpacks to, bytes. */
  size: number;
  method: 0 | 8;
}

function header({ name, packed, size, method }: Laid): Buffer {
  const head = Buffer.alloc(30);
  head.writeUInt32LE(0x04034b50, 0);
  head.writeUInt16LE(20, 4);
  head.writeUInt16LE(method, 8);
  head.writeUInt32LE(packed.length, 18);
  head.writeUInt32LE(size, 22);
  head.writeUInt16LE(Buffer.byteLength(name), 26);
  return head;
}

/** A zip of one entry, which its list names under each of these names. */
function zipOf(entry: Laid, names: readonly string[]): Buffer {
  const head = header(entry);
  const list = names.flatMap((name) => {
    const line = Buffer.alloc(46);
    line.writeUInt32LE(0x02014b50, 0);
    header({ ...entry, name }).copy(line, 6, 4, 28);
    return [line, Buffer.from(name)];
  });
  const directory = Buffer.concat(list);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  for (const at of [8, 10]) end.writeUInt16LE(names.length, at);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(head.length + entry.name.length + entry.packed.length, 16);
  return Buffer.concat([head, Buffer.from(entry.name), entry.packed, directory, end]);
}

/** A zip whose manifest unpacks to a thousand times its size. */
export function zipBomb(): Buffer {
  const packed = deflateRawSync(Buffer.alloc(UNPACKED, 0x20), { level: 9 });
  const name = 'manifest.json';
  return zipOf({ name, packed, size: UNPACKED, method: 8 }, [name]);
}

/** A zip of thousands of entries, all laid over the same bytes. */
export function overlaidZip(): Buffer {
  const packed = Buffer.alloc(100_000, 0x20);
  const names = Array.from({ length: OVERLAID }, (_, i) => `people/default-p${i}/face.npy`);
  return zipOf({ name: names[0], packed, size: packed.length, method: 0 }, names);
}
