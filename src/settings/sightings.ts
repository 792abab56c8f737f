import { Type } from 'typebox';

/** Who came by, when and where, is kept (docs/sightings.md). */
export const SIGHTING_SETTINGS = {
  SIGHTINGS: Type.Boolean({
    default: false,
    description:
      'Keep who was seen at which camera, from when to when, with the embedding of the best face (docs/sightings.md).',
  }),
  SIGHTINGS_DAYS: Type.Number({
    default: 30,
    minimum: 0.01,
    maximum: 3650,
    description: 'With `SIGHTINGS`: days after which a sighting of a person is erased.',
  }),
  UNKNOWNS_DAYS: Type.Number({
    default: 7,
    minimum: 0.01,
    maximum: 3650,
    description: 'With `SIGHTINGS`: days after which a sighting of a stranger is erased.',
  }),
  SIGHTING_PICTURES_DAYS: Type.Optional(
    Type.Number({
      minimum: 0.01,
      maximum: 3650,
      description:
        'With `KEEP_SIGHTINGS`: days after which the picture of a sighting is erased, while the sighting stays. Unset: as long as the sighting.',
    }),
  ),
  KEEP_SIGHTINGS: Type.Boolean({
    default: false,
    description: "With `SIGHTINGS`: also keep each sighting's best picture of the face.",
  }),
  VISIT_GAP: Type.Number({
    default: 10,
    minimum: 1,
    maximum: 3600,
    description: 'With `SIGHTINGS`: a visit is over when nobody has seen the face for so many seconds.',
  }),
};
