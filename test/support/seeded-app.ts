import type { TestContext } from 'node:test';
import { face, type TestApp, testApp, unitVector } from './app.js';
import { keepVisit, vote } from './sightings.js';

/** One operation of the OpenAPI document. */
export interface Operation {
  method: string;
  path: string;
  summary?: string;
  tags?: string[];
  security?: object[];
  parameters?: { name: string; in: string; required?: boolean; example?: unknown; schema: object }[];
  requestBody?: { content: Record<string, { schema?: object; example?: unknown }> };
  responses: Record<string, { content?: Record<string, { schema: object; example?: unknown }> }>;
}

/** The document that the app serves, and its operations. */
export async function readDocument({ app }: Pick<TestApp, 'app'>) {
  const document = (await app.inject('/docs/json')).json<{
    openapi: string;
    tags: { name: string; description: string }[];
    paths: Record<string, Record<string, Omit<Operation, 'method' | 'path'>>>;
  }>();
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Operation => ({
      method: method.toUpperCase(),
      path,
      ...operation,
    })),
  );
  return { document, operations };
}

/** The people that the documents' examples speak of; the next pictures show Ada, or with `stranger` nobody known. */
export async function seededApp(
  t: Pick<TestContext, 'after'>,
  settings: Parameters<typeof testApp>[1] = {},
  deps: Parameters<typeof testApp>[2] = {},
): Promise<TestApp & { faceOfAda: string }> {
  const test = await testApp(t, { KEEP_FACES: true, ...settings }, deps);
  const { gallery, vision } = test;
  await gallery.createGroup({ groupid: 'staff', groupname: 'Staff' });
  const crop = Buffer.from('a PNG');
  const ada = { groupid: 'staff', userid: 'ada', username: 'Ada', crop };
  const { id } = await gallery.enrol(ada, unitVector(0));
  await gallery.enrol({ groupid: 'default', userid: 'ken' }, unitVector(2));
  if (test.sightings) await keepVisit(test.sightings, 'w.1', { votes: [vote('staff-ada')] });
  vision.faces = [{ ...face(100, 0.01), quality: { size: 100, sharpness: 50, brightness: 100 } }];
  return { ...test, faceOfAda: id };
}
