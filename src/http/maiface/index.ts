import type { Gallery } from '../../gallery/types.js';
import type { App } from '../app-type.js';
import { type FaceRecognizerDeps, faceRecognizerRoutes } from './face-recognizer.js';
import { type FaceRegisterDeps, faceRegisterRoutes } from './face-register.js';
import { faceidInfoRoutes } from './faceid-infos.js';
import { groupRoutes } from './groups.js';
import { personRoutes } from './person.js';

/** The maiface-compatible surface: forms only, answers in its own fields. */
export function maifaceRoutes(
  app: App,
  deps: FaceRecognizerDeps & FaceRegisterDeps & { gallery: Gallery },
): void {
  app.register((surface, _options, done) => {
    surface.removeContentTypeParser(['application/json', 'text/plain']);
    groupRoutes(surface, deps);
    faceidInfoRoutes(surface, deps);
    faceRecognizerRoutes(surface, deps);
    faceRegisterRoutes(surface, deps);
    personRoutes(surface, deps);
    done();
  });
}
