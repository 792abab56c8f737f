import { mulberry32 } from '../accuracy/seeded-weights.js';

const TABLE = 1 << 21;
/** How much of a second part of the table is in everybody: with one part, a twentieth of 100,000 people would have a twin. */
const SECOND = 0.37;

/**
 * Makes synthetic embeddings fast. A person is a uniformly random direction; a face of that person is this direction plus
 * noise of `spread` times its length, scaled to unit length. At 0.6 two faces of one person have a distance of about 0.53
 * (squared L2), near the threshold of VGGFace2's embeddings, and two people have about 2. The noise comes from a table of two
 * million normal numbers, read from a random place each time.
 */
export function createIdentities(length: number, seed: number, spread = 0.6) {
  const table = new Float32Array(TABLE + length);
  let drawn = 0;
  const random = () => mulberry32(seed, drawn++);
  for (let i = 0; i < table.length; i++) {
    table[i] = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  }
  const place = () => Math.floor(random() * TABLE);
  const direction = () => {
    const [own, second] = [place(), place()];
    const vector = table.slice(own, own + length);
    for (let i = 0; i < length; i++) vector[i] += SECOND * table[second + i];
    return scaleToUnit(vector);
  };
  return {
    direction,
    /** Another face of the person. */
    faceOf(person: Float32Array): Float32Array {
      const at = place();
      const noise = spread / Math.sqrt(length);
      const face = new Float32Array(length);
      for (let i = 0; i < length; i++) face[i] = person[i] + noise * table[at + i];
      return scaleToUnit(face);
    },
  };
}

function scaleToUnit(vector: Float32Array): Float32Array {
  let sum = 0;
  for (const value of vector) sum += value * value;
  const scale = 1 / Math.sqrt(sum);
  for (let i = 0; i < vector.length; i++) vector[i] *= scale;
  return vector;
}
