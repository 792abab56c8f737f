import type { NamedTensors } from '../../src/models/weights/torch-state.js';

/** A map [channel][y][x] in float64. */
interface Map64 {
  data: Float64Array;
  channels: number;
  height: number;
  width: number;
}

/**
 * P-Net as it was published, in float64 and without any of our rewrites.
 * @param image three planes, 0 to 255
 * @returns for each window the probability, then the four sides, as planes
 */
export function pnetInFloat64(
  state: NamedTensors,
  image: Float32Array,
  width: number,
  height: number,
): Map64 {
  const data = Float64Array.from(image, (value) => (value - 127.5) / 128);
  let map: Map64 = { data, channels: 3, height, width };
  map = pool(bend(convolve(map, state, 'conv1', 10, 3), state.values('prelu1.weight', 10)));
  map = bend(convolve(map, state, 'conv2', 16, 3), state.values('prelu2.weight', 16));
  map = bend(convolve(map, state, 'conv3', 32, 3), state.values('prelu3.weight', 32));
  const classes = convolve(map, state, 'conv4_1', 2, 1);
  const sides = convolve(map, state, 'conv4_2', 4, 1);
  const cells = classes.width * classes.height;
  const said = new Float64Array(5 * cells);
  for (let i = 0; i < cells; i++) said[i] = 1 / (1 + Math.exp(classes.data[i] - classes.data[cells + i]));
  said.set(sides.data, cells);
  return { ...classes, channels: 5, data: said };
}

function convolve(map: Map64, state: NamedTensors, name: string, out: number, side: number): Map64 {
  const { data: weights } = state.tensor(`${name}.weight`, [out, map.channels, side, side]);
  const bias = state.values(`${name}.bias`, out);
  const [width, height] = [map.width - side + 1, map.height - side + 1];
  const data = new Float64Array(out * width * height);
  for (let o = 0; o < out; o++) {
    const plane = data.subarray(o * width * height, (o + 1) * width * height).fill(bias[o]);
    for (let c = 0; c < map.channels; c++)
      for (let ky = 0; ky < side; ky++)
        for (let kx = 0; kx < side; kx++) {
          const weight = weights[((o * map.channels + c) * side + ky) * side + kx];
          for (let y = 0, at = 0; y < height; y++) {
            const from = (c * map.height + y + ky) * map.width + kx;
            for (let x = 0; x < width; x++, at++) plane[at] += weight * map.data[from + x];
          }
        }
  }
  return { data, channels: out, height, width };
}

function bend(map: Map64, slopes: Float32Array): Map64 {
  const cells = map.width * map.height;
  return {
    ...map,
    data: map.data.map((value, i) => (value > 0 ? value : value * slopes[Math.floor(i / cells)])),
  };
}

function pool({ data, channels, height, width }: Map64): Map64 {
  const [half, low] = [Math.ceil(width / 2), Math.ceil(height / 2)];
  const pooled = new Float64Array(channels * half * low).fill(-Infinity);
  for (let c = 0, from = 0; c < channels; c++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++, from++) {
        const to = (c * low + (y >> 1)) * half + (x >> 1);
        pooled[to] = Math.max(pooled[to], data[from]);
      }
  return { data: pooled, channels, height: low, width: half };
}
