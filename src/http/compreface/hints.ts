/**
 * Which people may be found under a text: a hash of the text, and whose it was when it was noted. A hint may be out of date
 * or meant for another text with the same hash, so whoever uses one looks at the person. So little is kept, 8 bytes a
 * hint and as much for the table, that a million people are no burden.
 */
export class Hints {
  /** The newest hint of each bucket, or -1. */
  #heads = new Int32Array(1024).fill(-1);
  /** Of each hint: its hash, whose it is (-1: withdrawn), and the next of its bucket. */
  #hashes = new Uint32Array(1024);
  #owners = new Int32Array(1024);
  #next = new Int32Array(1024);
  #size = 0;

  /** Does nothing when it is there. @param owner a number, 0 or more */
  add(hash: number, owner: number): void {
    for (const known of this.of(hash)) if (known === owner) return;
    if (this.#size === this.#hashes.length) this.#grow();
    const hint = this.#size++;
    this.#hashes[hint] = hash;
    this.#owners[hint] = owner;
    this.#link(hint);
  }

  /** Whose text may have this hash, the newest first. */
  *of(hash: number): Generator<number> {
    for (let hint = this.#heads[this.#bucket(hash)]; hint >= 0; hint = this.#next[hint]) {
      if (this.#hashes[hint] === hash && this.#owners[hint] >= 0) yield this.#owners[hint];
    }
  }

  withdraw(hash: number, owner: number): void {
    for (let hint = this.#heads[this.#bucket(hash)]; hint >= 0; hint = this.#next[hint]) {
      if (this.#hashes[hint] === hash && this.#owners[hint] === owner) this.#owners[hint] = -1;
    }
  }

  #bucket(hash: number): number {
    return hash & (this.#heads.length - 1);
  }

  #link(hint: number): void {
    const bucket = this.#bucket(this.#hashes[hint]);
    this.#next[hint] = this.#heads[bucket];
    this.#heads[bucket] = hint;
  }

  #grow(): void {
    const size = this.#hashes.length * 2;
    const widened = <T extends Int32Array | Uint32Array>(old: T, wide: T): T => {
      wide.set(old);
      return wide;
    };
    this.#hashes = widened(this.#hashes, new Uint32Array(size));
    this.#owners = widened(this.#owners, new Int32Array(size));
    this.#next = widened(this.#next, new Int32Array(size));
    this.#heads = new Int32Array(size).fill(-1);
    for (let hint = 0; hint < this.#size; hint++) this.#link(hint);
  }
}

/** FNV-1a, 32 bits. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
