import type { FastifyRequest } from 'fastify';
import { Type, type Static } from 'typebox';
import type { ErrorCode, KaomonError } from '../../platform/errors.js';
import { faceIdOf, splitFaceId } from '../../gallery/ids.js';

/**
 * The message IDs of the system whose API this is (docs/api.md). Those up to E2004 are its own and keep their meaning;
 * the others are ours.
 */
export const MESSAGE_IDS = {
  S1001: 'Registered',
  E1001: 'Cannot register',
  E1002: 'Already registered',
  E1003: 'Registered under another person',
  E1004: 'Not the same person',
  S1011: 'Deleted',
  E1011: 'Cannot delete',
  E2001: 'userid invalid',
  E2002: 'groupid invalid',
  E2003: 'Only 0-9, a-z, A-Z, _ and .',
  E2004: 'Cannot get image',
  E2005: 'No such group',
  E2006: 'No face',
  E2007: 'Several faces',
  E2008: 'Face too small',
  E2009: 'Face blurred',
  E2010: 'Face turned away',
  E2011: 'No such person',
  E9001: 'Cannot answer',
  E9002: 'Try again later',
  E9003: 'No key',
  E9004: 'Not allowed',
} as const;
export type MessageId = keyof typeof MESSAGE_IDS;

const MID_OF: Partial<Record<ErrorCode, MessageId>> = {
  USERID_INVALID: 'E2001',
  GROUPID_INVALID: 'E2002',
  IMAGE_MISSING: 'E2004',
  IMAGE_UNREADABLE: 'E2004',
  IMAGE_TOO_LARGE: 'E2004',
  IMAGE_FORMAT_UNKNOWN: 'E2004',
  UPLOAD_TOO_LARGE: 'E2004',
  MEDIA_TYPE_UNKNOWN: 'E2004',
  ALREADY_REGISTERED: 'E1002',
  OTHER_PERSON: 'E1003',
  NOT_THE_SAME_PERSON: 'E1004',
  GROUP_UNKNOWN: 'E2005',
  FACE_UNKNOWN: 'E2011',
  NO_FACE: 'E2006',
  SEVERAL_FACES: 'E2007',
  FACE_TOO_SMALL: 'E2008',
  FACE_BLURRED: 'E2009',
  FACE_TURNED: 'E2010',
  TOO_MANY_REQUESTS: 'E9002',
  TOO_SLOW: 'E9002',
  NO_MODEL: 'E9002',
  BUSY: 'E9002',
  CLOSING: 'E9002',
  UNAUTHORISED: 'E9003',
  FORBIDDEN: 'E9004',
};

/** The answer to a registration, a deletion and everything that fails on this surface. */
export const OutcomeSchema = Type.Object(
  {
    result: Type.Enum(['SUCCESS', 'ERROR']),
    mid: Type.Enum(Object.keys(MESSAGE_IDS) as MessageId[]),
    msg: Type.String({ description: 'One sentence for a person.' }),
    groupid: Type.String({ description: 'Empty when the request named none that is fit.' }),
    userid: Type.String(),
    faceid: Type.String(),
    already: Type.Optional(
      Type.Boolean({ description: 'Ours: the person has this very picture, and nothing was added.' }),
    ),
  },
  {
    examples: [
      {
        result: 'SUCCESS',
        mid: 'S1001',
        msg: 'Registered',
        groupid: 'staff',
        userid: 'grace',
        faceid: 'staff-grace',
      },
    ],
  },
);
export type Outcome = Static<typeof OutcomeSchema>;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The message ID of a maiface route's failures that have none of their own. Default: E9001. */
    failure?: MessageId;
  }
}

/** An error as this surface answers it. */
export function maifaceError(
  error: KaomonError,
  message: string,
  { body, params, routeOptions }: Pick<FastifyRequest, 'body' | 'params' | 'routeOptions'>,
): { statusCode: number; body: Outcome } {
  const given = { ...(params as object | null), ...(body as object | null) } as Record<string, unknown>;
  const [groupid, userid] = [fit(given.groupid), fit(given.userid)];
  const known = hasForbiddenCharacter(error, given) ? 'E2003' : MID_OF[wrongId(error)];
  const mid = known ?? routeOptions.config.failure ?? 'E9001';
  const faceid = groupid && userid && faceIdOf(groupid, userid);
  return {
    statusCode: error.statusCode,
    body: { result: 'ERROR', mid, msg: message, groupid, userid, faceid },
  };
}

/** An ID if it is valid, so that an answer may repeat it, else ''. */
function fit(id: unknown): string {
  return typeof id === 'string' && splitFaceId(faceIdOf(id, id)) ? id : '';
}

/** This surface has one message ID for an ID that is missing and one that is invalid. */
function wrongId({ code, details }: KaomonError): ErrorCode {
  if (code !== 'FIELD_MISSING') return code;
  if (details?.field === 'userid') return 'USERID_INVALID';
  return details?.field === 'groupid' ? 'GROUPID_INVALID' : code;
}

function hasForbiddenCharacter({ code }: KaomonError, given: Record<string, unknown>): boolean {
  const field = { USERID_INVALID: 'userid', GROUPID_INVALID: 'groupid' }[code as string];
  const id = field && given[field];
  return typeof id === 'string' && id !== '' && !/^[0-9A-Za-z_][0-9A-Za-z_.]*$/.test(id);
}
