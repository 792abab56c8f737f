import type { App } from '../app-type.js';
import { answerErrors } from '../error-handler.js';
import type { Services } from '../services.js';
import { faceRecognizerRoutes } from './face-recognizer.js';
import { faceRegisterRoutes } from './face-register.js';
import { faceidInfoRoutes } from './faceid-infos.js';
import { maifaceError } from './format.js';
import { groupRoutes } from './groups.js';
import { personRoutes } from './person.js';

/** The maiface-compatible surface: forms only, answers in its own fields. */
export function maifaceSurface(app: App, services: Services): void {
  app.register((surface, _options, done) => {
    answerErrors(surface, { errorFormat: maifaceError });
    surface.removeContentTypeParser(['application/json', 'text/plain']);
    groupRoutes(surface, services);
    faceidInfoRoutes(surface, services);
    faceRecognizerRoutes(surface, services);
    faceRegisterRoutes(surface, services);
    personRoutes(surface, services);
    done();
  });
}
