import type { FastifyRequest } from 'fastify';
import type { WebSocket } from '@fastify/websocket';
import { KaomonError } from '../../platform/errors.js';
import { MAX_IN_FLIGHT, MAX_TEXT_BYTES, PROTOCOL, type ServerMessage } from '../../stream/protocol.js';
import { createStreamSession } from '../../stream/session.js';
import { createShares, holdOf } from '../../platform/shares.js';
import type { App } from '../app-type.js';
import { callerId } from '../on-behalf.js';
import { createPace } from '../pace.js';
import { ErrorSchema, errorsOf } from '../schemas.js';
import type { Services } from '../services.js';

/** A peer that lets so long pass without a sign of life, asked by a ping in the middle, is dropped, milliseconds. */
const SILENCE = 30_000;
/** Answers that a slow reader may leave lying, bytes; beyond them nothing more is read from it. */
const MAX_UNREAD = 262_144;
/** What a stream holds is counted in steps of so many bytes. */
const STEP = 65_536;
/** What a client's control frame has besides its payload, bytes. */
const CONTROL_HEAD = 6;
/** The code of a close for want of room. */
const TRY_AGAIN_LATER = 1013;
/** And of one because the key or the session has ended. */
const POLICY_VIOLATION = 1008;
/** A client has so long to answer that, milliseconds. */
const GOODBYE = 2000;

type StreamServices = Pick<
  Services,
  'config' | 'vision' | 'identifier' | 'gallery' | 'pack' | 'decision' | 'bytes' | 'share'
>;

/**
 * `GET /api/v1/stream`: frames in, faces out over one WebSocket. The messages: docs/stream.md.
 * @param silence milliseconds, for tests
 */
export function streamRoutes(app: App, services: StreamServices, silence = SILENCE): void {
  const { config, pack, decision } = services;
  const streams = createShares({
    total: config.MAX_STREAMS,
    share: services.share,
    retryAfter: 5,
    full: `${config.MAX_STREAMS} streams are open, which is all there may be`,
    mine: 'This caller has as many streams open as one may have',
  });

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
      if (request.ws) {
        try {
          const who = callerId(request);
          streams.take(who, 1);
          request.raw.socket.once('close', () => streams.give(who, 1));
          done();
        } catch (error) {
          done(error as KaomonError);
        }
      } else done();
    },
    handler: () => {
      throw new KaomonError('NOT_FOUND', 'This address speaks WebSocket only: see docs/stream.md.');
    },
    wsHandler: serve,
  });

  function serve(socket: WebSocket, request: FastifyRequest): void {
    let isAlive = true;
    const frames = watchFrames(socket, request, services, silence / 2);

    function send(message: ServerMessage): void {
      if (socket.readyState !== socket.OPEN) return;
      socket.send(JSON.stringify(message), () => {
        isAlive = true;
        if (socket.isPaused && socket.bufferedAmount < MAX_UNREAD / 2) socket.resume();
      });
      // What is not read piles up here: no more frames are taken until the answers to the last ones are gone.
      if (socket.bufferedAmount > MAX_UNREAD) socket.pause();
      frames.hold(session.held());
    }

    const session = createStreamSession({
      vision: services.vision,
      identifier: services.identifier,
      gallery: services.gallery,
      decision,
      maxFrameBytes: config.MAX_UPLOAD_BYTES,
      minFaceSize: config.STREAM_MIN_FACE_SIZE,
      groups: request.caller.groups,
      caller: callerId(request),
      send,
      onFault: (err) =>
        request.server.repeats.tell(
          'frame',
          () => request.log.error({ err }, 'A frame failed'),
          (times) => app.log.error({ times }, 'Frames failed again'),
        ),
    });

    socket.on('message', (data: Buffer, isBinary: boolean) => {
      isAlive = true;
      frames.arrived();
      if (isBinary) session.frame(data);
      // One that is too long is refused, not read.
      else session.text(data.subarray(0, MAX_TEXT_BYTES + 1).toString());
      frames.hold(session.held());
    });
    socket.on('pong', () => (isAlive = true));
    const timer = setInterval(() => {
      if (!isAlive || frames.areTooSlow()) socket.terminate();
      isAlive = false;
      socket.ping();
    }, silence / 2);
    const forget = app.endWithKey(request, () => {
      // A slow reader's socket may be paused: it could not see the other's goodbye.
      socket.resume();
      socket.close(POLICY_VIOLATION, 'The key or the session has ended');
      session.close();
      setTimeout(() => socket.terminate(), GOODBYE).unref();
    });
    socket.once('close', () => {
      forget();
      clearInterval(timer);
      session.close();
      frames.end();
    });

    const { id, title } = pack;
    const thresholds = decision.meaning(request.caller.groups);
    send({ type: 'hello', protocol: PROTOCOL, pack: { id, title }, thresholds, maxInFlight: MAX_IN_FLIGHT });
  }
}

/**
 * What a connection holds: a message that is coming, which is in memory before it is whole, and the frames that the
 * session has. A connection that holds more than there is room for is ended: half a message cannot be given back.
 */
function watchFrames(
  socket: WebSocket,
  request: FastifyRequest,
  { bytes, config: { MIN_BODY_RATE: minRate } }: Pick<Services, 'bytes' | 'config'>,
  window: number,
) {
  const hold = holdOf(bytes, callerId(request));
  let coming = 0;
  let held = 0;
  const pace = createPace(minRate, window);

  function account(): void {
    try {
      // In steps: a count for each of a thousand packets is not worth it.
      hold.set(Math.ceil((coming + held) / STEP) * STEP);
    } catch {
      socket.close(TRY_AGAIN_LATER, 'Too much is being sent at the moment');
      socket.terminate();
    }
  }
  // Before the WebSocket's own listener, which may find the end of a message in the piece.
  request.raw.socket.prependListener('data', (piece: Uint8Array) => {
    if (coming === 0) pace.begin();
    coming += piece.length;
    pace.add(piece.length);
    account();
  });
  // A control frame is no part of a message, and may come in its middle.
  const pass = (payload: Buffer) => (coming = Math.max(0, coming - payload.length - CONTROL_HEAD));
  socket.on('ping', pass);
  socket.on('pong', pass);

  return {
    /** A message is whole. */
    arrived(): void {
      coming = 0;
    },
    /** The session has so many bytes. */
    hold(amount: number): void {
      held = amount;
      account();
    },
    /** Whether a message has been coming too slowly for the whole of a window. */
    areTooSlow(): boolean {
      // What we do not read cannot come.
      if (coming === 0 || socket.isPaused) pace.begin();
      return pace.isTooSlow();
    },
    end: () => hold.end(),
  };
}
