import type { FastifyRequest } from 'fastify';
import type { WebSocket } from '@fastify/websocket';
import { KaomonError } from '../../platform/errors.js';
import type { Gallery } from '../../gallery/types.js';
import type { ReadyPack } from '../../models/types.js';
import type { Decision } from '../../identity/decision.js';
import type { Identifier } from '../../identity/identify.js';
import { MAX_IN_FLIGHT, MAX_TEXT_BYTES, PROTOCOL, type ServerMessage } from '../../stream/protocol.js';
import { createStreamSession } from '../../stream/session.js';
import { createShares, holdOf, type Shares } from '../../platform/shares.js';
import type { VisionPool } from '../../vision/types.js';
import type { App } from '../app-type.js';
import { callerId } from '../on-behalf.js';
import type { InForce } from '../plugins/in-force.js';
import { ErrorSchema, errorsOf } from '../schemas.js';

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

export interface StreamDeps {
  vision: Pick<VisionPool, 'analyze'>;
  identifier: Pick<Identifier, 'identify'>;
  gallery: Pick<Gallery, 'groups' | 'current'>;
  pack: ReadyPack;
  decision: Decision;
  maxUploadBytes: number;
  minFaceSize: number;
  /** Connections at a time, and the part of them that one caller may have, 0 to 1. */
  maxStreams: number;
  share: number;
  /** What bodies and frames may take together, bytes. */
  bytes: Pick<Shares, 'take' | 'give'>;
  /** A frame that comes slower is given up, bytes a second; 0: none is. */
  minRate: number;
  /** Origins besides the server's own whose pages may connect. */
  origins: readonly string[];
  /** Says when the key or the session of a stream has ended. */
  inForce?: Pick<InForce, 'watch'>;
  /** Milliseconds, for tests. */
  silence?: number;
}

/** `GET /api/v1/stream`: frames in, faces out over one WebSocket. The messages: docs/stream.md. */
export function streamRoutes(app: App, deps: StreamDeps): void {
  const { pack, decision, silence = SILENCE } = deps;
  const streams = createShares({
    ...{ total: deps.maxStreams, share: deps.share, retryAfter: 5 },
    full: `${deps.maxStreams} streams are open, which is all there may be`,
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
      if (!isOwnOrigin(request, deps.origins)) {
        const message = 'Pages of this origin may not connect: see the setting STREAM_ORIGINS.';
        done(new KaomonError('FORBIDDEN', message));
      } else if (request.ws) {
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
    const frames = watchFrames(socket, request, deps);

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
      vision: deps.vision,
      identifier: deps.identifier,
      gallery: deps.gallery,
      decision,
      maxFrameBytes: deps.maxUploadBytes,
      minFaceSize: deps.minFaceSize,
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
      if (!isAlive || frames.areTooSlow(silence / 2)) socket.terminate();
      isAlive = false;
      socket.ping();
    }, silence / 2);
    const unwatch = deps.inForce?.watch(request, () => {
      // A slow reader's socket may be paused: it could not see the other's goodbye.
      socket.resume();
      socket.close(POLICY_VIOLATION, 'The key or the session has ended');
      session.close();
      setTimeout(() => socket.terminate(), GOODBYE).unref();
    });
    socket.once('close', () => {
      unwatch?.();
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
function watchFrames(socket: WebSocket, request: FastifyRequest, { bytes, minRate }: StreamDeps) {
  const hold = holdOf(bytes, callerId(request));
  let coming = 0;
  let held = 0;
  /** Since the rate was taken last. */
  let got = 0;
  let isNew = true;

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
    if (coming === 0) isNew = true;
    coming += piece.length;
    got += piece.length;
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
      isNew = true;
    },
    /** The session has so many bytes. */
    hold(amount: number): void {
      held = amount;
      account();
    },
    /** Whether a message has been coming, and too slowly, for all of the time since this was asked last. */
    areTooSlow(ms: number): boolean {
      // What we do not read cannot come.
      const isDue = coming > 0 && !isNew && !socket.isPaused && minRate > 0;
      const isSlow = isDue && got < (minRate * ms) / 1000;
      got = 0;
      isNew = false;
      return isSlow;
    },
    end: () => hold.end(),
  };
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
