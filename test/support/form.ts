/** A multipart body as `inject` takes it. */
export interface FormRequest {
  headers: Record<string, string>;
  payload: Buffer;
}

/** Encodes a form; the parts keep their order. Bytes become a file named `picture.jpg`. */
export async function form(...parts: [name: string, value: string | Uint8Array][]): Promise<FormRequest> {
  const data = new FormData();
  for (const [name, value] of parts) {
    if (typeof value === 'string') data.append(name, value);
    else data.append(name, new Blob([Uint8Array.from(value)]), 'picture.jpg');
  }
  const response = new Response(data);
  return {
    headers: { 'content-type': response.headers.get('content-type') ?? '' },
    payload: Buffer.from(await response.arrayBuffer()),
  };
}
