import { setMaxListeners } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { clientGone, KaomonError, tooLarge } from '../../platform/errors.js';
import { createShares, type Hold, holdOf, type Shares } from '../../platform/shares.js';
import type { App } from '../app-type.js';
import { cut } from '../cut.js';
import { addressOf, callerId } from '../on-behalf.js';
import { createPace, type Pace } from '../pace.js';

/** For a moment JSON is held three times: as bytes, as text and parsed. */
export const JSON_WEIGHT = 3;
/** What a body takes that goes to disk as it comes, bytes. */
const STREAMED = 262_144;
/** How often all requests are checked, milliseconds. */
const TICK = 1000;
/** Over this time a body's rate is taken, milliseconds. */
const WINDOW = 10_000;
/** An answer is given up when nothing of it was read for this time, milliseconds. */
const UNREAD = 60_000;
/** For this time the rest of a refused body is discarded, so that the sender reads the answer, milliseconds. */
const LINGER = 10_000;

declare module 'fastify' {
  interface FastifyRequest {
    /** Aborted when the client hangs up before it has its answer. */
    gone: AbortSignal;
  }
  interface FastifyContextConfig {
    /** The route passes its body on as it comes instead of holding it. */
    streamsBody?: true;
  }
}

export interface InFlightOptions {
  /** Bytes that all bodies may take together, and each caller's share of them. */
  bytes: Shares;
  /** A slower body is given up, bytes a second; 0: none is. */
  minRate: number;
  /** How much of a refused body is discarded before the connection is ended, bytes. */
  maxDrained: number;
  /** Milliseconds, for tests. */
  window?: number;
}

/** A request that has not been answered yet, or whose body is still coming. */
interface Flight {
  request: FastifyRequest;
  reply: FastifyReply;
  socket: Socket;
  hold: Hold | undefined;
  /** Length of the body by its header, bytes; undefined: the header does not say. */
  declared: number | undefined;
  /** Bytes of the body so far. */
  arrived: number;
  /** The body has come to its end, or there is none. */
  isWhole: boolean;
  isGivenUp: boolean;
  pace: Pace;
  /** When the caller last read something of the answer, and how much it had read. */
  read: { since: number; bytes: number };
}

/**
 * Bounds what requests hold while they come in: bodies have a budget, for the process and for each caller; one that
 * comes too slowly is ended (408), and so is an answer that nobody reads. No body is read before it is known who sends
 * it; the body of a request that is refused by its headers is discarded as it comes.
 */
export function registerInFlight(app: App, options: InFlightOptions): void {
  const { bytes, minRate, maxDrained, window = WINDOW } = options;
  const flights = new Map<FastifyRequest, Flight>();
  let isClosing = false;
  /** Answered before their whole body had come. */
  const draining = new Map<Flight, { until: number; most: number }>();

  const signals = new WeakMap<FastifyRequest, AbortSignal>();
  app.decorateRequest('gone', {
    getter() {
      let signal = signals.get(this);
      if (!signal) {
        signal = goneSignal(flights.get(this)?.reply.raw);
        signals.set(this, signal);
      }
      return signal;
    },
  });

  function begin(request: FastifyRequest, reply: FastifyReply): void {
    const { raw } = request;
    const length = request.headers['content-length'];
    const now = performance.now();
    const flight: Flight = {
      request,
      reply,
      socket: raw.socket,
      hold: undefined,
      declared: length === undefined ? undefined : Number(length),
      arrived: 0,
      isWhole: !hasBody(request),
      isGivenUp: false,
      pace: createPace(minRate, window),
      read: { since: now, bytes: 0 },
    };
    flights.set(request, flight);
    reply.raw.once('close', () => end(flight));
    if (!flight.isWhole) watchBody(flight);
  }

  /** Node's parser delivers a body by `push`, whoever reads it: there each byte is counted once, as it comes. */
  function watchBody(flight: Flight): void {
    const { raw } = flight.request;
    const push = raw.push.bind(raw);
    raw.push = (chunk: Uint8Array | null, encoding?: BufferEncoding) => {
      if (chunk === null) {
        flight.isWhole = true;
        draining.delete(flight);
      } else count(flight, chunk.length);
      return push(chunk, encoding);
    };
    // An error without a listener would end the process.
    raw.on('error', () => undefined);
  }

  function count(flight: Flight, more: number): void {
    flight.arrived += more;
    flight.pace.add(more);
    const { hold, request, declared, arrived, isGivenUp } = flight;
    // Nobody reads it before the preParsing hook; room for a body that says its length was taken there as a whole.
    if (!hold || declared !== undefined || isGivenUp) return;
    try {
      if (arrived > request.routeOptions.bodyLimit) {
        throw tooLarge('The request body is', request.routeOptions.bodyLimit);
      }
      hold.set(weigh(flight, arrived));
    } catch (error) {
      giveUp(flight, error);
    }
  }

  /** Answers in the middle of a body, by way of whoever reads it. */
  function giveUp(flight: Flight, error: unknown): void {
    const { request, reply } = flight;
    flight.isGivenUp = true;
    if (reply.sent) cut(request, reply);
    // One of the listeners is ours.
    else if (request.raw.listenerCount('error') > 1) request.raw.emit('error', error);
    else reply.send(error);
  }

  function end(flight: Flight): void {
    flights.delete(flight.request);
    flight.hold?.end();
    const { socket, isWhole, reply } = flight;
    if (isWhole || !(socket instanceof Socket) || socket.destroyed || !reply.raw.writableFinished) return;
    // A server that is ending waits for its connections, but not for this one.
    if (isClosing) socket.destroy();
    else draining.set(flight, { until: performance.now() + LINGER, most: socket.bytesRead + maxDrained });
  }

  function lookAtBody(flight: Flight, now: number): void {
    const { pace, isWhole, isGivenUp, request, reply } = flight;
    if (isWhole || isGivenUp || reply.sent) return;
    const { readableLength, readableHighWaterMark } = request.raw;
    // What we do not take cannot come.
    if (readableLength >= readableHighWaterMark) pace.begin(now);
    if (!pace.isTooSlow(now)) return;
    reply.header('connection', 'close');
    const sentence = `The body comes too slowly: send at least ${minRate} bytes a second.`;
    giveUp(flight, new KaomonError('TOO_SLOW', sentence, { details: { minRate } }));
  }

  function lookAtAnswer(flight: Flight, now: number): void {
    const { read, request, reply, socket } = flight;
    const waiting = reply.raw.writableLength + (socket.writableLength || 0);
    const bytes = (socket.bytesWritten || 0) - (socket.writableLength || 0);
    if (waiting === 0 || bytes !== read.bytes) flight.read = { since: now, bytes };
    else if (now - read.since > UNREAD) cut(request, reply);
  }

  function lookAtAll(): void {
    const now = performance.now();
    for (const flight of [...flights.values()]) {
      lookAtBody(flight, now);
      lookAtAnswer(flight, now);
    }
    for (const [flight, { until, most }] of draining) {
      const { socket } = flight;
      if (!socket.destroyed && now < until && socket.bytesRead <= most) continue;
      draining.delete(flight);
      socket.destroy();
    }
  }

  app.addHook('preClose', (done) => {
    isClosing = true;
    for (const { socket } of draining.keys()) socket.destroy();
    done();
  });
  const timer = setInterval(lookAtAll, Math.min(TICK, window)).unref();
  app.addHook('onClose', (_app, done) => {
    clearInterval(timer);
    done();
  });

  app.addHook('onRequest', (request, reply, done) => {
    // A stream has a life and limits of its own.
    if (!request.ws) begin(request, reply);
    done();
  });

  // After all hooks that need the headers only, before the first byte is read.
  app.addHook('preParsing', (request, _reply, payload, done) => {
    const flight = flights.get(request);
    // The caller is unknown, and nobody wants the body.
    if (request.is404 && hasBody(request)) done(request.server.knownAddresses.refusal(request));
    // The connection is gone: whoever read the body would wait for ever, and the audit would never hear of the call.
    else if (request.raw.destroyed && hasBody(request)) done(clientGone());
    else if (!flight || flight.isWhole) done(null, payload);
    else {
      flight.hold = holdOf(bytes, callerId(request));
      flight.pace.begin();
      try {
        const { declared = flight.arrived } = flight;
        // A body that is larger than the route takes is refused by whoever reads it.
        flight.hold.set(weigh(flight, Math.min(declared, request.routeOptions.bodyLimit)));
        done(null, payload);
      } catch (error) {
        done(error as KaomonError);
      }
    }
  });

  // Fastify ends the connection of a refused body at once, and with it the answer that is being sent.
  app.addHook('onSend', (request, reply, payload, done) => {
    const flight = flights.get(request);
    const isSlow = flight?.isGivenUp && reply.statusCode === 408;
    if (flight && !flight.isWhole && !isSlow) reply.removeHeader('connection');
    done(null, payload);
  });
}

/**
 * Node destroys a request once its body was read, and Fastify's own signal follows that; this one follows the answer,
 * which a caller that has hung up never gets.
 * @param answer undefined: it has been given already
 */
function goneSignal(answer: ServerResponse | undefined): AbortSignal {
  const isGone = () => answer?.writableFinished !== true;
  if (!answer || answer.destroyed) return isGone() ? AbortSignal.abort() : new AbortController().signal;
  const gone = new AbortController();
  // Every picture of a list adds a listener.
  setMaxListeners(0, gone.signal);
  answer.once('close', () => {
    if (isGone()) gone.abort();
  });
  return gone.signal;
}

function hasBody({ headers }: FastifyRequest): boolean {
  return Number(headers['content-length'] ?? 0) > 0 || headers['transfer-encoding'] !== undefined;
}

/** What a body of this length takes of the budget. */
function weigh({ request }: Flight, length: number): number {
  if (request.routeOptions.config.streamsBody) return STREAMED;
  const isJson = /^application\/(?:[a-z.-]+\+)?json/i.test(request.headers['content-type'] ?? '');
  return length * (isJson ? JSON_WEIGHT : 1);
}

export interface ConnectionOptions {
  /** Of everybody; 0: no limit. */
  most: number;
  /** The part of them that one address may have, 0 to 1. */
  share: number;
}

/** Bounds the connections before anything is read from them. One too many is closed without an answer. */
export function limitConnections(app: App, { most, share }: ConnectionOptions): void {
  if (most === 0) return;
  const shares = createShares({ total: most, share, full: '', mine: '', retryAfter: 1 });
  app.server.on('connection', (socket: Socket) => {
    const address = addressOf({ ip: socket.remoteAddress ?? '' });
    try {
      shares.take(address, 1);
      socket.once('close', () => shares.give(address, 1));
    } catch {
      socket.destroy();
    }
  });
}
