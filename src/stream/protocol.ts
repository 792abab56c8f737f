import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { KaomonError } from '../platform/errors.js';
import type { Meaning } from '../identity/decision.js';
import type { Times } from '../identity/identify.js';
import type { Quality, Unfit } from '../vision/types.js';

/** The messages of the stream, see docs/stream.md. A change that old pages cannot read raises the number. */
export const PROTOCOL = 1;

/** Frames that a client should have unanswered at a time: one is worked on, one is there when that ends. */
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
  },
  { additionalProperties: false },
);
const optionsCheck = Compile(OptionsSchema);

/** What a client may ask for; a message replaces what the ones before it said of the same. */
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
      `The options are not usable${field && `: "${field}" ${wrong?.message ?? ''}`}.`,
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
  /** In force for those whom the client may see; a message `thresholds` tells of others. */
  thresholds: Meaning;
  maxInFlight: number;
}

/** One face of a frame. Pixels are the frame's, upright. */
export interface StreamFace {
  /** Stays with a face from frame to frame; another number is another face. */
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
  /** Squared L2, to the nearest person; null when nobody is enrolled. */
  distance: number | null;
  sure: boolean;
  /** Of a million strangers so many would come as near to somebody of those searched; null: not measured, or nobody. */
  odds: number | null;
  /** So many or fewer: the pack's pairs can tell no more. */
  oddsAtMost: boolean;
  /** `[x0, y0, ... x4, y4]`. */
  landmarks?: number[];
  quality?: Quality;
  /** Why the face is nobody's: nobody can be told apart by it. `quality` goes with it. */
  reason?: Unfit;
}

/** What the server sends; one of `frame`, `skipped` and `error` with its number for each frame. */
export type ServerMessage =
  | Hello
  /** Before the first frame that others than those told last hold for: people came or went, or other groups are asked for. */
  | { type: 'thresholds'; thresholds: Meaning }
  | {
      type: 'frame';
      frame: number;
      width: number;
      height: number;
      /** Whether the whole frame was searched, or known faces were followed only. */
      full: boolean;
      faces: StreamFace[];
      /** Faces beyond `MAX_FACES`, when there were any. */
      leftOut?: number;
      times: Times;
    }
  | { type: 'skipped'; frame: number }
  /** Without `frame` it answers a text message. */
  | { type: 'error'; frame?: number; code: string; message: string; retryAfter?: number }
  | { type: 'bye'; reason: string };
