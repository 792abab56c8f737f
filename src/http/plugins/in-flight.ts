import { setMaxListeners } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { clientGone, KaomonError } from '../../platform/errors.js';
import { createShares, type Hold, holdOf, type Shares } from '../../platform/shares.js';
import type { App } from '../app-type.js';
import { addressOf, callerId } from '../on-behalf.js';

/** JSON is held as bytes, as text and as what it says, all at once for a moment. */
export const JSON_WEIGHT = 3;
/** What a body takes that goes to the disk as it comes, bytes. */
const STREAMED = 262_144;
/** How often all requests are looked at, milliseconds. */
const TICK = 1000;
/** Over so long a body's rate is taken: a sender may pause for a moment, milliseconds. */
const WINDOW = 10_000;
/** An answer of which nothing was read for so long is given up, milliseconds. */
const UNREAD = 60_000;
/** What is still being sent of a body that was refused is thrown away for so long, so that the answer is read. */
const LINGER = 10_000;

declare module 'fastify' {
  interface FastifyRequest {
    /** Aborted when the client hangs up before it has its answer. */
    gone: AbortSignal;
  }
  interface FastifyContextConfig {
    /** The route passes its body on as it comes, instead of holding it. */
    streamsBody?: true;
  }
}

export interface InFlightOptions {
  /** Bytes that all bodies may take together, and each caller's share of them. */
  bytes: Shares;
  /** A body that comes slower is given up, bytes a second; 0: none is. */
  minRate: number;
  /** How much of a refused body is thrown away before the connection is ended, bytes. */
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
  /** Bytes that the body says it has; undefined: it does not say. */
  declared: number | undefined;
  /** Bytes of the body so far. */
  arrived: number;
  /** The body has come to its end, or there is none. */
  isWhole: boolean;
  isGivenUp: boolean;
  /** When the body's rate was looked at last, and how much of it was there. */
  pace: { since: number; arrived: number };
  /** When something of the answer was read last, and how much. */
  read: { since: number; bytes: number };
}

/**
 * Bounds what requests hold while they come in: bodies have a budget, for the process and for each caller; one that
 * comes too slowly ends (408), and so does an answer that nobody reads. A body is not read at all before it is known
 * who sends it: whoever is refused by headers alone has it thrown away as it comes.
 */
export function registerInFlight(app: App, options: InFlightOptions): void {
  const { bytes, minRate, maxDrained, window = WINDOW } = options;
  const flights = new Map<FastifyRequest, Flight>();
  let isClosing = false;
  /** Answered before their body had come. */
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
      ...{ request, reply, socket: raw.socket, hold: undefined },
      declared: length === undefined ? undefined : Number(length),
      ...{ arrived: 0, isWhole: !hasBody(request), isGivenUp: false },
      ...{ pace: { since: now, arrived: 0 }, read: { since: now, bytes: 0 } },
    };
    flights.set(request, flight);
    reply.raw.once('close', () => end(flight));
    if (!flight.isWhole) watchBody(flight);
  }

  /** Whoever reads a body, Node's parser hands it over by `push`: counted there, it is counted once and at once. */
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
    // An error that nobody listens to would end the process.
    raw.on('error', () => undefined);
  }

  function count(flight: Flight, more: number): void {
    flight.arrived += more;
    const { hold, request, declared, arrived, isGivenUp } = flight;
    // Before the preParsing hook nobody reads it; what says its length has been asked for whole.
    if (!hold || declared !== undefined || isGivenUp) return;
    try {
      if (arrived > request.routeOptions.bodyLimit) {
        throw new KaomonError('UPLOAD_TOO_LARGE', 'The request body is too large.', {
          details: { maxBytes: request.routeOptions.bodyLimit },
        });
      }
      hold.set(weigh(flight, arrived));
    } catch (error) {
      giveUp(flight, error);
    }
  }

  /** Answers in mid-body, through whoever reads it. */
  function giveUp(flight: Flight, error: unknown): void {
    const { request, reply } = flight;
    flight.isGivenUp = true;
    if (reply.sent) cut(flight);
    // One listener is ours.
    else if (request.raw.listenerCount('error') > 1) request.raw.emit('error', error);
    else reply.send(error);
  }

  function end(flight: Flight): void {
    flights.delete(flight.request);
    flight.hold?.end();
    const { socket, isWhole, reply } = flight;
    if (isWhole || !(socket instanceof Socket) || socket.destroyed || !reply.raw.writableFinished) return;
    // A server that ends waits for its connections: not for this.
    if (isClosing) socket.destroy();
    else draining.set(flight, { until: performance.now() + LINGER, most: socket.bytesRead + maxDrained });
  }

  function lookAtBody(flight: Flight, now: number): void {
    const { pace, arrived, isWhole, isGivenUp, request, reply } = flight;
    if (minRate === 0 || isWhole || isGivenUp || reply.sent || now - pace.since < window) return;
    const { readableLength, readableHighWaterMark } = request.raw;
    // What we do not take cannot come.
    const isOurs = readableLength >= readableHighWaterMark;
    if (isOurs || arrived - pace.arrived >= (minRate * window) / 1000) {
      flight.pace = { since: now, arrived };
      return;
    }
    reply.header('connection', 'close');
    const sentence = `The body comes too slowly: at least ${minRate} bytes a second are waited for.`;
    giveUp(flight, new KaomonError('TOO_SLOW', sentence, { details: { minRate } }));
  }

  function lookAtAnswer(flight: Flight, now: number): void {
    const { read, reply, socket } = flight;
    const waiting = reply.raw.writableLength + (socket.writableLength || 0);
    const bytes = (socket.bytesWritten || 0) - (socket.writableLength || 0);
    if (waiting === 0 || bytes !== read.bytes) flight.read = { since: now, bytes };
    else if (now - read.since > UNREAD) cut(flight);
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

  // After every hook that looks at headers only, before the first byte is read.
  app.addHook('preParsing', (request, _reply, payload, done) => {
    const flight = flights.get(request);
    // Nobody has been asked for a key, and nobody wants the body.
    if (request.is404) done(request.server.knownAddresses.refusal(request));
    // It went with its connection: whoever read it would wait for ever, and nobody would hear of the call.
    else if (request.raw.destroyed && hasBody(request)) done(clientGone());
    else if (!flight || flight.isWhole) done(null, payload);
    else {
      flight.hold = holdOf(bytes, callerId(request));
      flight.pace = { since: performance.now(), arrived: flight.arrived };
      try {
        const { declared = flight.arrived } = flight;
        // What is larger than the route takes is refused by whoever reads it, with the limit in the sentence.
        flight.hold.set(weigh(flight, Math.min(declared, request.routeOptions.bodyLimit)));
        done(null, payload);
      } catch (error) {
        done(error as KaomonError);
      }
    }
  });

  // Fastify ends the connection of a refused body at once, and with it the answer that is on its way.
  app.addHook('onSend', (request, reply, payload, done) => {
    const flight = flights.get(request);
    const isSlow = flight?.isGivenUp && reply.statusCode === 408;
    if (flight && !flight.isWhole && !isSlow) reply.removeHeader('connection');
    done(null, payload);
  });
}

/**
 * Node destroys a request once its body was read, and Fastify's own signal goes by that: the answer is what a client
 * that has hung up cannot have.
 * @param answer undefined: it has been given already
 */
function goneSignal(answer: ServerResponse | undefined): AbortSignal {
  const isGone = () => answer?.writableFinished !== true;
  if (!answer || answer.destroyed) return isGone() ? AbortSignal.abort() : new AbortController().signal;
  const gone = new AbortController();
  // Each picture of a list listens.
  setMaxListeners(0, gone.signal);
  answer.once('close', () => {
    if (isGone()) gone.abort();
  });
  return gone.signal;
}

function hasBody({ headers }: FastifyRequest): boolean {
  return Number(headers['content-length'] ?? 0) > 0 || headers['transfer-encoding'] !== undefined;
}

/** Ends a connection without another word. */
function cut({ socket, reply }: Flight): void {
  // Calls that a test injects have none.
  if (socket instanceof Socket) socket.destroy();
  else reply.raw.destroy();
}

/** What a body of so many bytes takes of the budget. */
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

/** Bounds the connections, before anything is read of them. Whoever gets none is hung up on: there is nobody to tell. */
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
