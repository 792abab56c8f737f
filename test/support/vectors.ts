/** A repeatable generator of numbers in [0, 1) (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** A random unit vector. */
export function randomUnitVector(random: () => number, length: number): Float32Array {
  const vector = Float32Array.from({ length }, () => random() * 2 - 1);
  const norm = Math.hypot(...vector);
  return vector.map((value) => value / norm);
}

/**
 * Vectors that lie as embeddings do: each person a random direction, each face of one person that direction with
 * noise of `spread` times its length, at unit length again. At 0.6 two faces of one person are about 0.53 apart
 * (squared L2), as in VGGFace2's embeddings, and two people about 2.
 */
export function identities(
  random: () => number,
  length: number,
  { people, faces, spread = 0.6 }: { people: number; faces: number; spread?: number },
) {
  const centres = Array.from({ length: people }, () => gaussianUnitVector(random, length));
  const near = (centre: Float32Array) => {
    const noise = gaussianUnitVector(random, length);
    return unit(centre.map((value, i) => value + spread * noise[i]));
  };
  return {
    *faces() {
      for (const [person, centre] of centres.entries()) {
        for (let i = 0; i < faces; i++) yield { id: `${person}/${i}`, vector: near(centre) };
      }
    },
    /** Another face of the person that `id` is a face of. */
    probe: (id: string) => near(centres[Number(id.split('/')[0])]),
  };
}

function unit(vector: Float32Array): Float32Array {
  const norm = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  return vector.map((value) => value / norm);
}

/** A direction, all of them equally likely. */
function gaussianUnitVector(random: () => number, length: number): Float32Array {
  const gaussian = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return unit(Float32Array.from({ length }, gaussian));
}
