import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { DEVICE_ID } from '../identity/device-id.js';
import type { Place } from '../identity/types.js';

/** The camera, in the query of a call that recognises. */
export const deviceidField = Type.Optional(
  Type.String({
    pattern: DEVICE_ID.source,
    description:
      'The camera, for the sightings (docs/sightings.md): up to 64 letters, digits, `_`, `.`, `:` or `-`. Default: the name of the key.',
    examples: ['door'],
  }),
);

/** The name of the key, which is that of the camera where the caller gives none; empty without a key. */
export const cameraOf = ({ caller }: Pick<FastifyRequest, 'caller'>): string =>
  caller.keyId ? caller.name : '';

/** @param deviceid the caller's; one that is not valid counts as none, as an old client may send anything */
export function placeOf(request: Pick<FastifyRequest, 'caller'>, deviceid = ''): Place {
  return { deviceid: deviceid && DEVICE_ID.test(deviceid) ? deviceid : cameraOf(request) };
}
