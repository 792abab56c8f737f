/**
 * Joins small chunks, in order: a line or a picture at a time costs its reader, and the network, more than its bytes.
 * @param size what is held becomes a chunk when it has so many bytes; larger chunks pass as they are
 */
export async function* inPieces(chunks: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    if (bytes + chunk.length > size && bytes > 0) {
      yield Buffer.concat(held);
      [held, bytes] = [[], 0];
    }
    if (chunk.length >= size) {
      yield chunk;
      continue;
    }
    held.push(chunk);
    bytes += chunk.length;
  }
  if (bytes > 0) yield Buffer.concat(held);
}
