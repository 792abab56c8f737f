import type { ReadyPack } from '../models/types.js';
import { clampToPicture } from './boxes.js';
import { placeFace } from './detectors/landmarks.js';
import type { Runtime } from './ort.js';
import { Resampler } from './resample.js';
import { madeFaces } from './self-check.js';
import { asRead } from './turn.js';
import type { AnalysedFace, Detection, Picture } from './types.js';
import { refuseInvalidOutput } from './valid-output.js';

const SIDE = 112;

/** Estimates age and gender as face-api does, from the detector's box. */
export interface AgeGender {
  /** Sets `age` and `gender` of a face; a face outside the picture has neither. */
  describe(picture: Picture, detection: Detection, face: AnalysedFace): Promise<void>;
  release(): Promise<void>;
}

/** @returns undefined for a pack without such a network @throws KaomonError NO_MODEL when it cannot be run */
export async function createAgeGender(runtime: Runtime, pack: ReadyPack): Promise<AgeGender | undefined> {
  if (!pack.ageGender) return undefined;
  const input = new Float32Array(3 * SIDE * SIDE);
  const scratch = new Uint8Array(3 * SIDE * SIDE);
  const resampler = new Resampler();
  const faces = { data: input, shape: [1, 3, SIDE, SIDE] };
  const network = await runtime.open(pack.ageGender, { faces: madeFaces(SIDE) });
  return {
    async describe(picture, detection, face) {
      const upright = asRead(picture, detection);
      const rect = clampToPicture(upright.face.box, upright.picture);
      if (!rect) return;
      placeFace(resampler, upright.picture, rect, input, 0, scratch);
      const { age, female } = await network.run({ faces });
      if (!Number.isFinite(age[0] + female[0])) refuseInvalidOutput('age-gender');
      face.age = age[0];
      const isFemale = female[0] >= 0.5;
      face.gender = {
        value: isFemale ? 'female' : 'male',
        probability: isFemale ? female[0] : 1 - female[0],
      };
    },
    release: () => network.release(),
  };
}
