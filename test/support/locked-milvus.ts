import { once } from 'node:events';
import { connect, constants, createSecureServer, type IncomingHttpHeaders } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { ensureSelfSigned } from '../../src/platform/tls.js';
import { temporaryFolder } from './temporary.js';

const HOST = '127.0.0.1';
/** Of gRPC. */
const UNAUTHENTICATED = 16;
const { HTTP2_HEADER_AUTHORITY, HTTP2_HEADER_SCHEME } = constants;

/**
 * Milvus behind TLS, by a certificate that only `MILVUS_CA` vouches for, which answers nobody but who shows the token.
 * @param url of the one behind it
 * @returns the settings by which it is reached, but for the token
 */
export async function lockMilvus(
  t: Pick<TestContext, 'after'>,
  url: string,
  token: string,
): Promise<Record<string, string>> {
  const folder = await temporaryFolder(t);
  const certificate = await ensureSelfSigned({ folder, names: ['localhost'], addresses: [HOST] });
  const ca = path.join(folder, 'ca.pem');
  await writeFile(ca, certificate.cert);
  const behind = connect(url);
  const server = createSecureServer(certificate);
  const sessions = new Set<{ destroy(): void }>([behind]);
  server.on('session', (session) => sessions.add(session));
  const shown = Buffer.from(token).toString('base64');

  server.on('stream', (stream, asked) => {
    // Whoever hangs up takes the call with them.
    stream.on('error', () => undefined);
    if (asked.authorization !== shown) {
      const refusal = { 'grpc-status': UNAUTHENTICATED, 'grpc-message': 'auth check failure' };
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...refusal }, { endStream: true });
      return;
    }
    // Whose they are is the connection's to say.
    const own = [HTTP2_HEADER_AUTHORITY, HTTP2_HEADER_SCHEME];
    const headers = Object.entries(asked).filter(([name]) => !own.includes(name));
    const call = behind.request(Object.fromEntries(headers));
    let trailers: IncomingHttpHeaders = {};
    call.on('error', () => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
    call.on('trailers', (last: IncomingHttpHeaders) => {
      trailers = last;
    });
    call.on('response', (answer) => {
      stream.respond(answer, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers(trailers));
      call.pipe(stream);
    });
    stream.pipe(call);
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  t.after(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { MILVUS_URL: `https://${HOST}:${port}`, MILVUS_CA: ca };
}
