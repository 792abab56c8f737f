import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { KaomonError } from '../platform/errors.js';
import { DEVICE_ID } from '../identity/device-id.js';
import type { Meaning } from '../identity/decision.js';
import type { Times } from '../identity/identify.js';
import type { Quality, Unfit } from '../vision/types.js';

/** The version of the messages (docs/stream.md); raised by a change that old pages cannot read. */
export const PROTOCOL = 1;

/** The most unanswered frames a client should have: one is processed while the next one waits. */
export const MAX_IN_FLIGHT = 2;

/** Largest text message, bytes. */
export const MAX_TEXT_BYTES = 16_384;

const OptionsSchema = Type.Object(
  {
    type: Type.Literal('options'),
    landmarks: Type.Optional(Type.Boolean()),
    quality: Type.Optional(Type.Boolean()),
    minFaceSize: Type.Optional(Type.Integer({ minimum: 12, maximum: 4096 })),
    groups: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { minItems: 1, maxItems: 200 }),
    ),
    track: Type.Optional(Type.Boolean()),
    deviceid: Type.Optional(Type.String({ pattern: DEVICE_ID.source })),
    sightings: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);
const optionsCheck = Compile(OptionsSchema);

/** What a client may set; each message replaces only the options that it names. */
export type StreamOptions = Omit<Static<typeof OptionsSchema>, 'type'>;

/**
 * Reads a client's text message.
 * @throws KaomonError BODY_UNREADABLE, FIELD_INVALID, UPLOAD_TOO_LARGE
 */
export function readText(text: string): StreamOptions {
  if (Buffer.byteLength(text) > MAX_TEXT_BYTES) {
    throw new KaomonError('UPLOAD_TOO_LARGE', `A text message has at most ${MAX_TEXT_BYTES} bytes.`, {
      details: { maxBytes: MAX_TEXT_BYTES },
    });
  }
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    throw new KaomonError('BODY_UNREADABLE', 'A text message is JSON; a frame is a binary message.');
  }
  if (!optionsCheck.Check(message)) {
    const wrong = optionsCheck.Errors(message).at(0);
    const field = wrong?.instancePath.slice(1).replaceAll('/', '.') ?? '';
    throw new KaomonError(
      'FIELD_INVALID',
      `The options are not valid${field && `: "${field}" ${wrong?.message ?? ''}`}.`,
      {
        details: { field },
      },
    );
  }
  return message;
}

/** The server's first message. */
export interface Hello {
  type: 'hello';
  protocol: number;
  pack: { id: string; title: string };
  /** In force for the people whom the client may see; later ones come in messages `thresholds`. */
  thresholds: Meaning;
  maxInFlight: number;
}

/** One face of a frame, in pixels of the upright frame. */
export interface StreamFace {
  /** The same face has the same number from frame to frame. */
  track: number;
  x: number;
  y: number;
  width: number;
  height: number;
  /** Of the detection, 0 to 1. */
  probability: number;
  /** Empty for an unknown face. */
  faceid: string;
  userid: string | null;
  username: string | null;
  groupid: string | null;
  groupname: string | null;
  /** Address of a thumbnail of the enrolled face that is nearest; null: unknown, none kept, or the client may see none. */
  thumbnail: string | null;
  /** Squared L2, to the nearest person; null when nobody is enrolled. */
  distance: number | null;
  sure: boolean;
  /** How many of a million strangers would come as near to somebody searched; null: not measured, or nobody enrolled. */
  odds: number | null;
  /** `odds` is an upper bound: the pack has too few pairs to tell. */
  oddsAtMost: boolean;
  /** `[x0, y0, ... x4, y4]`. */
  landmarks?: number[];
  quality?: Quality;
  /** Why the face is unfit to be identified; `quality` is then given as well. */
  reason?: Unfit;
}

/** What the server sends; each frame is answered by a `frame`, `skipped` or `error` with its number. */
export type ServerMessage =
  | Hello
  /** Before a frame for which the thresholds have changed: people came or went, or the client chose other groups. */
  | { type: 'thresholds'; thresholds: Meaning }
  | {
      type: 'frame';
      frame: number;
      width: number;
      height: number;
      /** Whether the whole frame was searched; else known faces were only followed. */
      full: boolean;
      faces: StreamFace[];
      /** How many faces exceeded `MAX_FACES`, if any. */
      leftOut?: number;
      times: Times;
    }
  | { type: 'skipped'; frame: number }
  /** Without `frame`, the answer to a text message. */
  | { type: 'error'; frame?: number; code: string; message: string; retryAfter?: number }
  | { type: 'bye'; reason: string };
