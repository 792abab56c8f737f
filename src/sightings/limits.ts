/** A visit is cut after so long, milliseconds: a photograph on a wall, or somebody at a desk, would be one for ever. */
export const LONGEST_VISIT = 12 * 3_600_000;

/** A stranger is told of after so many milliseconds and fit frames: somebody on their way to the camera gets a name first. */
export const STRANGER = { stays: 3000, fits: 2 } as const;
