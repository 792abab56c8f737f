import type { App } from '../app-type.js';
import { answerErrors, answerNotFound } from '../error-handler.js';
import { registerJson } from '../intake/json.js';
import type { Services } from '../services.js';
import { createContext } from './context.js';
import { exampleRoutes } from './examples.js';
import { compreFaceError } from './format.js';
import { recogniseRoutes } from './recognise.js';
import { subjectRoutes } from './subjects.js';
import { verifyRoutes } from './verify.js';

/** CompreFace's three services; whatever else stands below them is answered as CompreFace does. */
const PREFIXES = ['/api/v1/recognition', '/api/v1/detection', '/api/v1/verification'];

/** @param url path and query, as the request line has them */
export function isCompreFace(url: string): boolean {
  return PREFIXES.some((prefix) => url.startsWith(`${prefix}/`));
}

/** The CompreFace-compatible surface: docs/compreface.md says what is the same and what differs. */
export function compreFaceSurface(app: App, services: Services): void {
  app.register((surface, _options, done) => {
    const context = createContext(services);
    surface.addHook('onClose', (_app, closed) => {
      context.collections.close();
      closed();
    });
    answerErrors(surface, compreFaceError);
    // A subject is a part of its address.
    const config = { namesInPath: true } as const;
    surface.addHook('onRoute', (route) => {
      route.config = { ...route.config, ...config };
    });
    for (const prefix of PREFIXES) {
      surface.register(
        (below, _none, registered) => {
          below.setNotFoundHandler({ config } as object, answerNotFound);
          registered();
        },
        { prefix },
      );
    }
    // CompreFace's SDKs say that a DELETE without a body holds JSON.
    registerJson(surface, { empty: true });
    subjectRoutes(surface, context);
    exampleRoutes(surface, context);
    recogniseRoutes(surface, context);
    verifyRoutes(surface, context);
    done();
  });
}
