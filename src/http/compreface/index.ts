import type { Gallery } from '../../gallery/types.js';
import type { Enroller } from '../../identity/enrol.js';
import type { ReadyPack } from '../../models/types.js';
import type { Identifier } from '../../identity/identify.js';
import type { VisionPool } from '../../vision/types.js';
import type { App } from '../app-type.js';
import { registerJson } from '../intake/json.js';
import { errorsOf } from '../schemas.js';
import { CompreFaceErrorSchema } from './format.js';
import { type Collections, createCollections } from './collections.js';
import { exampleRoutes } from './examples.js';
import { recogniseRoutes } from './recognise.js';
import { similarityOf } from './similarity.js';
import { subjectRoutes } from './subjects.js';
import { verifyRoutes } from './verify.js';

export interface CompreFaceDeps {
  vision: Pick<VisionPool, 'analyze'>;
  gallery: Gallery;
  pack: ReadyPack;
  enroller: Pick<Enroller, 'enrol'>;
  identifier: Pick<Identifier, 'identify' | 'identifyPicture'>;
  /** The collection of callers whose key is not tied to one group. */
  group: string;
  /** Of one picture, bytes. */
  maxUploadBytes: number;
}

/** What the surface's routes share. */
export interface CompreFaceContext extends CompreFaceDeps {
  collections: Collections;
  /** Squared L2 distance -> CompreFace's similarity. */
  similarity: (distance: number) => number;
}

/** Every status that a route of this surface can answer besides its own. */
export const failures = errorsOf(
  CompreFaceErrorSchema,
  ...([400, 401, 403, 404, 409, 413, 415, 429, 500, 503] as const),
);

/** The CompreFace-compatible surface: docs/compreface.md says what is the same and what differs. */
export function compreFaceRoutes(app: App, deps: CompreFaceDeps): void {
  const collections = createCollections(deps);
  const context = { ...deps, collections, similarity: similarityOf(deps.pack) };
  app.register((surface, _options, done) => {
    surface.addHook('onClose', (_app, closed) => {
      collections.close();
      closed();
    });
    // CompreFace's SDKs say that a DELETE without a body holds JSON.
    registerJson(surface, { empty: true });
    subjectRoutes(surface, context);
    exampleRoutes(surface, context);
    recogniseRoutes(surface, context);
    verifyRoutes(surface, context);
    done();
  });
}
