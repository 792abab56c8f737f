import type { Gallery } from '../../gallery/types.js';
import type { App } from '../app-type.js';
import { registerPictures } from '../intake/pictures.js';
import { automaticFaceRoutes } from './automatic-faces.js';
import { type EventsDeps, v1EventRoutes } from './events.js';
import { type FaceRouteDeps, v1FaceRoutes } from './faces.js';
import { v1GroupRoutes } from './groups.js';
import { v1PeopleRoutes } from './people.js';
import { type RecognitionDeps, v1RecognitionRoutes } from './recognition.js';
import { type TransferDeps, v1TransferRoutes } from './transfer.js';
import { type VerifyDeps, v1VerifyRoutes } from './verify.js';

/** The resources that other programs build on; docs/api.md. */
export function v1Routes(
  app: App,
  deps: RecognitionDeps &
    VerifyDeps &
    FaceRouteDeps &
    EventsDeps &
    TransferDeps & { fetchUrls?: { ports: readonly number[] } } & { gallery: Gallery },
): void {
  app.register((surface, _options, done) => {
    registerPictures(surface, deps.maxUploadBytes, deps.fetchUrls);
    v1RecognitionRoutes(surface, deps);
    v1VerifyRoutes(surface, deps);
    v1PeopleRoutes(surface, deps);
    v1FaceRoutes(surface, deps);
    v1GroupRoutes(surface, deps);
    v1EventRoutes(surface, deps);
    v1TransferRoutes(surface, deps);
    automaticFaceRoutes(surface, deps);
    done();
  });
}
