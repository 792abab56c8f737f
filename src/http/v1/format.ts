import { STATUS_CODES } from 'node:http';
import type { KaomonError } from '../../platform/errors.js';
import { AllRefused, type Refused } from '../intake/one-by-one.js';
import type { ErrorBody } from '../schemas.js';
import type { Surface } from '../surface.js';

/** With `results` where a list of pictures was sent and none of it could be used. */
type V1Body = ErrorBody & { results?: Refused[] };

/** An error as this surface answers it. */
function errorFormat(error: KaomonError, message: string): { statusCode: number; body: V1Body } {
  const { statusCode, code, details } = error;
  const body: V1Body = { statusCode, code, error: STATUS_CODES[statusCode] ?? '', message };
  if (error instanceof AllRefused) body.results = error.results;
  // What a fault of ours carries is for the log alone.
  if (details && statusCode !== 500) body.details = details;
  return { statusCode, body };
}

/** What other programs build on; and everything that belongs to no surface answers as it does. */
export const v1: Surface = { errorFormat };
