/** Milliseconds: ten frames a second are enough to see somebody come in. */
const PAUSE = 100;

/** How long the next frame can wait after an answer: where nobody is there and nothing moves, the server does not even search. */
export const pauseAfter = ({ faces, full }: { faces: readonly unknown[]; full?: boolean }): number =>
  full === false && faces.length === 0 ? PAUSE : 0;
