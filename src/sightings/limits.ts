/** A visit is cut after so long, milliseconds: a photograph on a wall, or somebody at a desk, would be one for ever. */
export const LONGEST_VISIT = 12 * 3_600_000;

/** A stranger is told of after so many milliseconds and fit frames: somebody on their way to the camera gets a name first. */
export const STRANGER = { stays: 3000, fits: 2 } as const;

/**
 * A face without a name goes on with the visit of a person, or a person with a stranger's visit, by being alike for so
 * long after its last frame, milliseconds: long enough for a lost track, too short for the next person at the door.
 */
export const NAMELESS_JOINS = 2000;
