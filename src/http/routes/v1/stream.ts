import type { FastifyRequest } from 'fastify';
import type { WebSocket } from '@fastify/websocket';
import { KaomonError } from '../../../errors.js';
import type { Gallery } from '../../../gallery/types.js';
import type { ReadyPack } from '../../../models/types.js';
import type { AutoEnroller } from '../../../recognition/auto-enrol.js';
import type { Decision } from '../../../recognition/decision.js';
import type { Sightings } from '../../../recognition/sightings.js';
import { MAX_IN_FLIGHT, PROTOCOL, type ServerMessage } from '../../../stream/protocol.js';
import { createStreamSession } from '../../../stream/session.js';
import type { VisionPool } from '../../../vision/types.js';
import type { App } from '../../app-type.js';
import { ErrorSchema, errorsOf } from '../../schemas.js';

/** A peer that lets so long pass without a sign of life, asked by a ping in the middle, is dropped, milliseconds. */
const SILENCE = 30_000;
/** Answers that a slow reader may leave lying, bytes; beyond them nothing more is read from it. */
const MAX_UNREAD = 262_144;

export interface StreamDeps {
  vision: Pick<VisionPool, 'analyze'>;
  gallery: Pick<Gallery, 'nearest' | 'groups' | 'person'>;
  sightings: Pick<Sightings, 'announce'>;
  pack: ReadyPack;
  decision: Decision;
  maxUploadBytes: number;
  minFaceSize: number;
  /** Connections at a time. */
  maxStreams: number;
  /** Origins besides the server's own whose pages may connect. */
  origins: readonly string[];
  autoEnroller?: Pick<AutoEnroller, 'consider'>;
  /** Milliseconds, for tests. */
  silence?: number;
}

/** `GET /api/v1/stream`: frames in, faces out over one WebSocket. The messages: docs/stream.md. */
export function streamRoutes(app: App, deps: StreamDeps): void {
  const { pack, decision, maxStreams, silence = SILENCE } = deps;
  let open = 0;

  app.route({
    method: 'GET',
    url: '/api/v1/stream',
    config: { access: 'recognise' },
    exposeHeadRoute: false,
    schema: {
      summary: 'Recognise on a WebSocket',
      description: 'JPEG frames in, faces out: docs/stream.md.',
      tags: ['recognition'],
      response: errorsOf(ErrorSchema, 401, 403, 404, 429, 500, 503),
    },
    preValidation: (request, _reply, done) => {
      if (!isOwnOrigin(request, deps.origins)) {
        const message = 'Pages of this origin may not connect: see the setting STREAM_ORIGINS.';
        done(new KaomonError('FORBIDDEN', message));
      } else if (request.ws && open >= maxStreams) {
        const message = `${maxStreams} streams are open, which is all there may be: try again later.`;
        done(new KaomonError('BUSY', message, { retryAfter: 5 }));
      } else done();
    },
    handler: () => {
      throw new KaomonError('NOT_FOUND', 'This address speaks WebSocket only: see docs/stream.md.');
    },
    wsHandler: (socket, request) => {
      open += 1;
      socket.once('close', () => (open -= 1));
      serve(socket, request);
    },
  });

  function serve(socket: WebSocket, request: FastifyRequest): void {
    let isAlive = true;

    function send(message: ServerMessage): void {
      if (socket.readyState !== socket.OPEN) return;
      socket.send(JSON.stringify(message), () => {
        isAlive = true;
        if (socket.isPaused && socket.bufferedAmount < MAX_UNREAD / 2) socket.resume();
      });
      // What is not read piles up here: no more frames are taken until the answers to the last ones are gone.
      if (socket.bufferedAmount > MAX_UNREAD) socket.pause();
    }

    const session = createStreamSession({
      ...{ vision: deps.vision, gallery: deps.gallery, decision },
      maxFrameBytes: deps.maxUploadBytes,
      minFaceSize: deps.minFaceSize,
      groups: request.caller.groups,
      send,
      ...(deps.autoEnroller && { autoEnroller: deps.autoEnroller }),
      onRecognised: (faces) => deps.sightings.announce(faces),
      onFault: (err) => request.log.error({ err }, 'A frame failed'),
    });

    socket.on('message', (data: Buffer, isBinary: boolean) => {
      isAlive = true;
      if (isBinary) session.frame(data);
      else session.text(data.toString());
    });
    socket.on('pong', () => (isAlive = true));
    const timer = setInterval(() => {
      if (!isAlive) socket.terminate();
      isAlive = false;
      socket.ping();
    }, silence / 2);
    socket.once('close', () => {
      clearInterval(timer);
      session.close();
    });

    const { id, title } = pack;
    const thresholds = decision.meaning(request.caller.groups);
    send({ type: 'hello', protocol: PROTOCOL, pack: { id, title }, thresholds, maxInFlight: MAX_IN_FLIGHT });
  }
}

/**
 * A browser says which page connects, and lets any page connect anywhere: another site's must not read who stands
 * before this server's camera. Programs send no origin.
 */
function isOwnOrigin({ headers }: FastifyRequest, allowed: readonly string[]): boolean {
  const { origin, host } = headers;
  if (origin === undefined || allowed.includes(origin)) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}
