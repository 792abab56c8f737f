/** Squared L2 distance of two vectors of one length: 0 to 4 for unit vectors, as faiss's IndexFlatL2 answers it. */
export function squaredDistance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return sum;
}
