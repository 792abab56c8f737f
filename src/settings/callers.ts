import { Type } from 'typebox';

/** What callers may ask of a server, so that none of them can stop it (docs/access.md). */
export const CALLER_SETTINGS = {
  MAX_UPLOAD_BYTES: Type.Integer({
    default: 10_000_000,
    minimum: 10_000,
    maximum: 1_000_000_000,
    description: 'Largest upload, bytes.',
  }),
  MAX_IMPORT_BYTES: Type.Integer({
    default: 2_000_000_000,
    minimum: 10_000,
    maximum: 1_000_000_000_000,
    description: 'Largest archive to import, bytes.',
  }),
  MAX_BYTES_IN_FLIGHT: Type.Integer({
    default: 256_000_000,
    minimum: 1_000_000,
    maximum: 1_000_000_000_000,
    description:
      'Bytes of all requests and frames that are arriving or waiting, per worker (JSON counts three times); more get 503. The largest single request always fits.',
  }),
  MIN_BODY_RATE: Type.Integer({
    default: 10_000,
    minimum: 0,
    maximum: 1_000_000_000,
    description:
      'Bytes a second, over ten seconds, below which a request body or a frame is refused (408); 0: never.',
  }),
  CALLER_SHARE: Type.Number({
    default: 75,
    minimum: 1,
    maximum: 100,
    description:
      'The most that one caller (a key, else an address) may have of streams, event listeners, places in the queue and bytes in flight, and of searches and enrolments, per cent; something is always left for the next caller. More get 429. 100: all.',
  }),
  MAX_CONNECTIONS: Type.Integer({
    default: 2000,
    minimum: 0,
    maximum: 1_000_000,
    description:
      'Connections at a time, per worker, of which one address may have `CALLER_SHARE` (with `TRUST_PROXY`: all); more are closed. 0: no limit.',
  }),
  MAX_SEARCHES: Type.Integer({
    default: 256,
    minimum: 4,
    maximum: 1_000_000,
    description:
      'Searches of the gallery that run or wait at a time, per worker; more get 503. A call with many faces counts as three.',
  }),
  MAX_ENROLMENTS: Type.Integer({
    default: 256,
    minimum: 4,
    maximum: 1_000_000,
    description:
      'Enrolments and changes of people and groups that run or wait at a time, per worker; more get 503. Deletions are never refused.',
  }),
  MAX_STREAMS: Type.Integer({
    default: 64,
    minimum: 1,
    maximum: 10_000,
    description: 'Streams (WebSocket connections) at a time; more get 503.',
  }),
  MAX_EVENT_LISTENERS: Type.Integer({
    default: 100,
    minimum: 1,
    maximum: 10_000,
    description: 'Programs that follow `/api/v1/events` at a time; more get 503.',
  }),
  MAX_FACES: Type.Integer({
    default: 200,
    minimum: 1,
    maximum: 10_000,
    description:
      'Faces of one picture that are processed, the largest ones; the answer says how many were left out.',
  }),
  RATE_LIMIT: Type.Integer({
    default: 6000,
    minimum: 0,
    maximum: 10_000_000,
    description: 'Requests a minute of one key from one address, per worker; 0: no limit.',
  }),
  MAX_EVENT_LOOP_DELAY: Type.Integer({
    default: 2000,
    minimum: 0,
    maximum: 60_000,
    description: 'Mean delay of the event loop, milliseconds, above which callers get 503; 0: no limit.',
  }),
  MAX_HEAP_BYTES: Type.Integer({
    default: 0,
    minimum: 0,
    description: 'Size of the JavaScript heap, bytes, above which callers get 503; 0: no limit.',
  }),
};
