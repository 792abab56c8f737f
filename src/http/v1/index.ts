import type { App } from '../app-type.js';
import { answerErrors } from '../error-handler.js';
import { registerPictures } from '../intake/pictures.js';
import type { Services } from '../services.js';
import { automaticFaceRoutes } from './automatic-faces.js';
import { checkupRoutes } from './checkup.js';
import { correctionRoutes } from './corrections.js';
import { eventRoutes } from './events.js';
import { faceRoutes } from './faces.js';
import { v1 } from './format.js';
import { groupRoutes } from './groups.js';
import { healthRoutes } from './health.js';
import { keyRoutes } from './keys.js';
import { metricsRoutes } from './metrics.js';
import { noticeRoutes } from './notices.js';
import { peopleRoutes } from './people.js';
import { personExportRoutes } from './person-export.js';
import { recognitionRoutes } from './recognition.js';
import { sessionRoutes } from './session.js';
import { sightingRoutes } from './sightings.js';
import { statusRoutes } from './status.js';
import { streamRoutes } from './stream.js';
import { thresholdRoutes } from './threshold.js';
import { transferRoutes } from './transfer.js';
import { unknownRoutes } from './unknowns.js';
import { verifyRoutes } from './verify.js';

/** The resources that other programs build on; docs/api.md. */
export function v1Surface(app: App, services: Services): void {
  app.register((surface, _options, done) => {
    answerErrors(surface, v1);
    registerPictures(surface, services.config);
    recognitionRoutes(surface, services);
    verifyRoutes(surface, services);
    streamRoutes(surface, services);
    peopleRoutes(surface, services);
    personExportRoutes(surface, services);
    faceRoutes(surface, services);
    automaticFaceRoutes(surface, services);
    correctionRoutes(surface, services);
    checkupRoutes(surface, services);
    thresholdRoutes(surface, services);
    groupRoutes(surface, services);
    eventRoutes(surface, services);
    sightingRoutes(surface, services);
    noticeRoutes(surface, services);
    unknownRoutes(surface, services);
    transferRoutes(surface, services);
    sessionRoutes(surface, services);
    keyRoutes(surface, services);
    healthRoutes(surface, services);
    statusRoutes(surface, services);
    metricsRoutes(surface, services);
    done();
  });
}
