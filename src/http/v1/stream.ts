import type { FastifyRequest } from 'fastify';
import type { WebSocket } from '@fastify/websocket';
import { clientGone, KaomonError } from '../../platform/errors.js';
import { MAX_IN_FLIGHT, MAX_TEXT_BYTES, PROTOCOL, type ServerMessage } from '../../stream/protocol.js';
import { createStreamSession } from '../../stream/session.js';
import { createShares, holdOf } from '../../platform/shares.js';
import type { App } from '../app-type.js';
import { callerId } from '../on-behalf.js';
import { createPace } from '../pace.js';
import { cameraOf } from '../place.js';
import { ErrorSchema, errorsOf } from '../schemas.js';
import type { Services } from '../services.js';
import { thumbnailsFor } from './thumbnails.js';

/** A client that gives no sign of life for this time, in spite of a ping, is dropped, milliseconds. */
const SILENCE = 30_000;
/** When a slow reader leaves more than this unread, bytes, no more of its frames are taken. */
const MAX_UNREAD = 262_144;
/** What a stream holds is counted in steps of this size, bytes. */
const STEP = 65_536;
/** Size of a client's control frame without its payload, bytes. */
const CONTROL_HEAD = 6;
/** Close code when there is no room. */
const TRY_AGAIN_LATER = 1013;
/** Close code when the key or the session has ended. */
const POLICY_VIOLATION = 1008;
/** How long a client has to answer that, milliseconds. */
const GOODBYE = 2000;

type StreamServices = Pick<
  Services,
  'config' | 'vision' | 'identifier' | 'gallery' | 'pack' | 'decision' | 'bytes' | 'share' | 'metrics'
>;

/**
 * `GET /api/v1/stream`: frames in, faces out over one WebSocket. The messages: docs/stream.md.
 * @param silence milliseconds, for tests
 */
export function streamRoutes(app: App, services: StreamServices, silence = SILENCE): void {
  const { config, pack, decision, metrics } = services;
  const streams = createShares({
    total: config.MAX_STREAMS,
    share: services.share,
    retryAfter: 5,
    full: `All ${config.MAX_STREAMS} streams are in use`,
    mine: 'This caller has as many streams as one caller may have',
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
          // It says so once only, perhaps while it was found out who this is.
          if (request.raw.socket.destroyed) throw clientGone();
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

    metrics.streamOpened();

    function send(message: ServerMessage): void {
      const outcome = outcomeOf(message);
      if (outcome) metrics.frameAnswered(outcome);
      if (socket.readyState !== socket.OPEN) return;
      socket.send(JSON.stringify(message), () => {
        isAlive = true;
        if (socket.isPaused && socket.bufferedAmount < MAX_UNREAD / 2) socket.resume();
      });
      // Unread answers pile up here: no more frames are taken until the client has read them.
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
      quietSearch: config.STREAM_QUIET_SEARCH,
      groups: request.caller.groups,
      thumbnailOf: thumbnailsFor(request.caller),
      caller: callerId(request),
      deviceid: cameraOf(request),
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
      // One that is too long is refused without being read.
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
      // A slow reader's socket may be paused: the client's answer would not be seen.
      socket.resume();
      socket.close(POLICY_VIOLATION, 'The key or the session has ended');
      session.close();
      setTimeout(() => socket.terminate(), GOODBYE).unref();
    });
    socket.once('close', () => {
      metrics.streamEnded();
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

/** How a frame was answered; undefined: the message is about none. */
function outcomeOf(message: ServerMessage): 'answered' | 'skipped' | 'refused' | 'failed' | undefined {
  if (message.type === 'frame') return 'answered';
  if (message.type === 'skipped') return 'skipped';
  if (message.type !== 'error' || message.frame === undefined) return undefined;
  return message.code === 'INTERNAL' ? 'failed' : 'refused';
}

/**
 * Counts what a connection holds: the message that is coming in, which is in memory before it is complete, and the frames
 * that the session has. A connection for which there is no room is ended: half a message cannot be refused.
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
      // In steps: counting each of a thousand packets is not worth it.
      hold.set(Math.ceil((coming + held) / STEP) * STEP);
    } catch {
      socket.close(TRY_AGAIN_LATER, 'Too much is being sent at the moment');
      socket.terminate();
    }
  }
  // Before the WebSocket's own listener, which may find the end of a message in this piece.
  request.raw.socket.prependListener('data', (piece: Uint8Array) => {
    if (coming === 0) pace.begin();
    coming += piece.length;
    pace.add(piece.length);
    account();
  });
  // A control frame is not part of a message, but may come in the middle of one.
  const pass = (payload: Buffer) => (coming = Math.max(0, coming - payload.length - CONTROL_HEAD));
  socket.on('ping', pass);
  socket.on('pong', pass);

  return {
    /** A message is complete. */
    arrived(): void {
      coming = 0;
    },
    /** The session holds this many bytes. */
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
