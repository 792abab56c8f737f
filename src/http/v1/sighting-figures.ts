/** What health and status tell of the sightings. */
import { Type, type Static } from 'typebox';
import type { Sightings } from '../../sightings/open.js';
import type { Caller } from '../access.js';
import { Nullable, TimeSchema } from '../schemas.js';
import { maySeeStrangers } from './sighting-schemas.js';

const count = Type.Integer({ minimum: 0 });

export const SightingFiguresSchema = Type.Object(
  {
    seen: { ...count, description: 'Visits that this worker has seen since it began.' },
    open: { ...count, description: 'Visits that go on, of this worker.' },
    waiting: { ...count, description: 'Visits that wait to be written, of this worker.' },
    written: { ...count, description: 'How often this worker has written a visit.' },
    dropped: {
      ...count,
      description: 'Faces and visits that this worker did not keep: there were too many, or no room.',
    },
    kept: Type.Optional(
      Type.Object(
        {
          sightings: count,
          strangers: { ...count, description: 'Sightings of strangers among them.' },
          unknowns: { ...count, description: 'Strangers whose sightings stand together.' },
          oldest: Nullable({
            ...TimeSchema,
            description: 'When the oldest visit ended; null: there is none.',
          }),
          bytes: { ...count, description: 'Size of the file.' },
        },
        { description: 'Of all workers of the machine; absent while the file cannot be read.' },
      ),
    ),
  },
  {
    description:
      'Who came by (docs/sightings.md): for administrators of all groups; absent where nobody is kept.',
  },
);

/** @returns undefined: nobody is kept, or the caller may not see strangers */
export function sightingFigures(
  sightings: Pick<Sightings, 'info' | 'kept'> | undefined,
  caller: Caller,
): Static<typeof SightingFiguresSchema> | undefined {
  if (!sightings || !maySeeStrangers(caller)) return undefined;
  const { seen, open, waiting, written, dropped } = sightings.info();
  const kept = sightings.kept();
  return {
    ...{ seen, open, waiting, written, dropped },
    ...(kept && {
      kept: { ...kept, oldest: kept.oldest === null ? null : new Date(kept.oldest).toISOString() },
    }),
  };
}
