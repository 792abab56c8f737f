import { KaomonError } from '../../platform/errors.js';

/** What a pickle of tensors is made of. Dictionaries become maps: their keys come from the file. */
export type Pickled =
  | undefined
  | null
  | boolean
  | number
  | bigint
  | string
  | Pickled[]
  | PickledDict
  | PickledGlobal
  | PickledObject;

/** A dict or OrderedDict, in the order of the file. */
export class PickledDict extends Map<Pickled, Pickled> {}

/** A class or function that the file names: `module name`. It is never looked up or called. */
export class PickledGlobal {
  constructor(readonly name: string) {}
}

/** What one of our own functions made of a call or a persistent id; opaque to the unpickler. */
export class PickledObject {
  constructor(readonly value: unknown) {}
}

/** How calls and references in one file format are handled. */
export interface PickleHandlers {
  /** Names (`module name`) that may occur. Any other is refused at once. */
  isAllowed: (global: string) => boolean;
  /** Stands in for a call of the global `name` with `args`. */
  call: (name: string, args: readonly Pickled[]) => Pickled;
  /** Resolves a persistent id. */
  persistent?: (id: Pickled) => Pickled;
}

/** Marks the start of a run of values on the stack. */
const MARK = Symbol('mark');
type Slot = Pickled | typeof MARK;

/** Far more than any state dict has; it keeps a hostile file from filling the memory. */
const MAX_VALUES = 5_000_000;

/**
 * Reads one pickle with only the opcodes that a state dict of tensors needs (pickletools.py lists them all): a file can
 * run no code, import nothing and reach no attribute.
 * @param start byte at which the pickle begins
 * @returns the value and the byte after the pickle
 * @throws KaomonError SETUP naming the opcode, global or place that is refused
 */
export function unpickle(
  bytes: Buffer,
  start: number,
  source: string,
  handlers: PickleHandlers,
): { value: Pickled; end: number } {
  return new Unpickler(bytes, start, source, handlers).run();
}

class Unpickler {
  readonly #stack: Slot[] = [];
  readonly #memo = new Map<number, Pickled>();
  #at: number;
  #values = 0;

  constructor(
    readonly bytes: Buffer,
    start: number,
    readonly source: string,
    readonly handlers: PickleHandlers,
  ) {
    this.#at = start;
  }

  run(): { value: Pickled; end: number } {
    for (;;) {
      const opcode = this.#byte();
      if (opcode === 0x2e) return { value: this.#pop(), end: this.#at }; // STOP
      this.#step(opcode);
      if (++this.#values > MAX_VALUES) this.#refuse('it holds more values than any state dict');
    }
  }

  #step(opcode: number): void {
    switch (opcode) {
      case 0x80: {
        // PROTO
        const protocol = this.#byte();
        if (protocol < 2 || protocol > 3) this.#refuse(`pickle protocol ${protocol} is not read here`);
        break;
      }
      case 0x28: // MARK
        this.#stack.push(MARK);
        break;
      case 0x7d: // EMPTY_DICT
        this.#stack.push(new PickledDict());
        break;
      case 0x5d: // EMPTY_LIST
        this.#stack.push([]);
        break;
      case 0x29: // EMPTY_TUPLE
        this.#stack.push([]);
        break;
      case 0x74: // TUPLE
        this.#stack.push(this.#sinceMark());
        break;
      case 0x85: // TUPLE1
        this.#stack.push([this.#pop()]);
        break;
      case 0x86: // TUPLE2
        this.#stack.push([this.#pop(), this.#pop()].reverse());
        break;
      case 0x87: // TUPLE3
        this.#stack.push([this.#pop(), this.#pop(), this.#pop()].reverse());
        break;
      case 0x4e: // NONE
        this.#stack.push(null);
        break;
      case 0x88: // NEWTRUE
        this.#stack.push(true);
        break;
      case 0x89: // NEWFALSE
        this.#stack.push(false);
        break;
      case 0x4a: // BININT
        this.#stack.push(this.bytes.readInt32LE(this.#take(4)));
        break;
      case 0x4b: // BININT1
        this.#stack.push(this.#byte());
        break;
      case 0x4d: // BININT2
        this.#stack.push(this.bytes.readUInt16LE(this.#take(2)));
        break;
      case 0x8a: // LONG1
        this.#stack.push(this.#long(this.#byte()));
        break;
      case 0x47: // BINFLOAT
        this.#stack.push(this.bytes.readDoubleBE(this.#take(8)));
        break;
      case 0x58: // BINUNICODE
        this.#stack.push(this.#text(this.bytes.readUInt32LE(this.#take(4))));
        break;
      case 0x71: // BINPUT
        this.#remember(this.#byte());
        break;
      case 0x72: // LONG_BINPUT
        this.#remember(this.bytes.readUInt32LE(this.#take(4)));
        break;
      case 0x68: // BINGET
        this.#recall(this.#byte());
        break;
      case 0x6a: // LONG_BINGET
        this.#recall(this.bytes.readUInt32LE(this.#take(4)));
        break;
      case 0x61: {
        // APPEND
        const value = this.#pop();
        this.#appendTo([value]);
        break;
      }
      case 0x65: // APPENDS
        this.#appendTo(this.#sinceMark());
        break;
      case 0x73: {
        // SETITEM
        const value = this.#pop();
        this.#setItems([this.#pop(), value]);
        break;
      }
      case 0x75: // SETITEMS
        this.#setItems(this.#sinceMark());
        break;
      case 0x63: {
        // GLOBAL
        const name = `${this.#line()} ${this.#line()}`;
        if (!this.handlers.isAllowed(name)) {
          this.#refuse(`it asks for "${name}", which no file of weights needs; it may be hostile`);
        }
        this.#stack.push(new PickledGlobal(name));
        break;
      }
      case 0x52: {
        // REDUCE
        const args = this.#pop();
        const callee = this.#pop();
        if (!(callee instanceof PickledGlobal) || !Array.isArray(args))
          this.#refuse('it calls something that is not a function');
        this.#stack.push(this.handlers.call(callee.name, args));
        break;
      }
      case 0x62: // BUILD: attributes of the object below, such as a state dict's `_metadata`; none is of use here
        this.#pop();
        if (!(this.#top() instanceof PickledDict))
          this.#refuse('it sets attributes of something other than a dict');
        break;
      case 0x51: {
        // BINPERSID
        const id = this.#pop();
        if (!this.handlers.persistent) this.#refuse('it refers to a storage where there can be none');
        this.#stack.push(this.handlers.persistent(id));
        break;
      }
      default:
        this.#refuse(
          `its opcode 0x${opcode.toString(16).padStart(2, '0')} is not one that state dicts are written with`,
        );
    }
  }

  #refuse(reason: string): never {
    throw new KaomonError('SETUP', `${this.source} is not read: ${reason} (at byte ${this.#at}).`);
  }

  /** Moves past `count` bytes and returns where they begin. */
  #take(count: number): number {
    const from = this.#at;
    if (from + count > this.bytes.length) this.#refuse('it is cut off in the middle of a pickle');
    this.#at = from + count;
    return from;
  }

  #byte(): number {
    return this.bytes[this.#take(1)];
  }

  #text(length: number): string {
    const from = this.#take(length);
    return this.bytes.toString('utf8', from, from + length);
  }

  #line(): string {
    const end = this.bytes.indexOf(0x0a, this.#at);
    if (end < 0 || end - this.#at > 1000) this.#refuse('it is cut off in the middle of a name');
    const from = this.#take(end + 1 - this.#at);
    return this.bytes.toString('utf8', from, end);
  }

  #long(length: number): number | bigint {
    const from = this.#take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[from + i]);
    if (length > 0 && (this.bytes[from + length - 1] & 0x80) !== 0) value -= 1n << BigInt(length * 8);
    const small = Number(value);
    return Number.isSafeInteger(small) ? small : value;
  }

  #pop(): Pickled {
    const value = this.#stack.pop();
    if (value === MARK || (value === undefined && this.#stack.length === 0))
      this.#refuse('its stack is empty');
    return value;
  }

  #top(): Slot {
    return this.#stack.at(-1);
  }

  #sinceMark(): Pickled[] {
    const mark = this.#stack.lastIndexOf(MARK);
    if (mark < 0) this.#refuse('a run of values has no beginning');
    const values = this.#stack.splice(mark) as (Pickled | typeof MARK)[];
    return values.slice(1) as Pickled[];
  }

  #remember(slot: number): void {
    const value = this.#top();
    if (value === MARK || this.#stack.length === 0) this.#refuse('it remembers what is not there');
    this.#memo.set(slot, value);
  }

  #recall(slot: number): void {
    if (!this.#memo.has(slot)) this.#refuse(`it recalls entry ${slot}, which was never remembered`);
    this.#stack.push(this.#memo.get(slot));
  }

  #appendTo(values: Pickled[]): void {
    const list = this.#top();
    if (!Array.isArray(list)) this.#refuse('it appends to something that is not a list');
    for (const value of values) list.push(value);
  }

  #setItems(pairs: Pickled[]): void {
    const dict = this.#top();
    if (!(dict instanceof PickledDict) || pairs.length % 2 !== 0)
      this.#refuse('it sets items of something that is not a dict');
    for (let i = 0; i < pairs.length; i += 2) dict.set(pairs[i], pairs[i + 1]);
  }
}
