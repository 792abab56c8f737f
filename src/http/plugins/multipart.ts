import multipart from '@fastify/multipart';
import type { App } from '../app-type.js';

/** Forms, with a limit on everything that can grow in them. form.ts counts the files by name. */
export async function registerMultipart(app: App, maxBytes: number): Promise<void> {
  await app.register(multipart, {
    // form.ts refuses them with the limit in the message.
    throwFileSizeLimit: false,
    // A picture is a file even when its sender gave it no name.
    isPartAFile: (_field, contentType, fileName) =>
      fileName !== undefined ||
      contentType === 'application/octet-stream' ||
      contentType?.startsWith('image/') === true,
    limits: {
      fieldNameSize: 100,
      fieldSize: 1000,
      fields: 16,
      fileSize: maxBytes,
      files: 4,
      parts: 20,
      headerPairs: 20,
    },
  });
}
