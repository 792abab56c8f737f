import type { App } from '../app-type.js';
import { answerErrors } from '../error-handler.js';
import { registerJson } from '../intake/json.js';
import type { Services } from '../services.js';
import { createContext } from './context.js';
import { exampleRoutes } from './examples.js';
import { COMPREFACE_ADDRESS, compreFaceError } from './format.js';
import { recogniseRoutes } from './recognise.js';
import { subjectRoutes } from './subjects.js';
import { verifyRoutes } from './verify.js';

/** The CompreFace-compatible surface: docs/compreface.md says what is the same and what differs. */
export function compreFaceSurface(app: App, services: Services): void {
  app.register((surface, _options, done) => {
    const context = createContext(services);
    surface.addHook('onClose', (_app, closed) => {
      context.collections.close();
      closed();
    });
    // A subject is a part of its address.
    const compreFace = { errorFormat: compreFaceError, namesInPath: true };
    answerErrors(surface, compreFace);
    surface.knownAddresses.claim(COMPREFACE_ADDRESS, compreFace);
    // CompreFace's SDKs say that a DELETE without a body holds JSON.
    registerJson(surface, { empty: true });
    subjectRoutes(surface, context);
    exampleRoutes(surface, context);
    recogniseRoutes(surface, context);
    verifyRoutes(surface, context);
    done();
  });
}
