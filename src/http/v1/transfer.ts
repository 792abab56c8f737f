import { PassThrough, Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Type } from 'typebox';
import { exportGallery } from '../../gallery/archive/export.js';
import { type ImportDeps, importGallery, type ImportOptions } from '../../gallery/archive/import.js';
import { closeDescriptor, openNameless, sweepArchives, writingTo } from '../../gallery/archive/nameless.js';
import { clientGone, KaomonError, throwIfGone, tooLarge } from '../../platform/errors.js';
import { requireConsentIn } from '../../identity/consent.js';
import { importTelling, PROGRESS_TYPE } from './import-progress.js';
import { groupsToSearch, requireGroupAccess } from '../access.js';
import type { App } from '../app-type.js';
import { tellError } from '../error-handler.js';
import { callerId } from '../on-behalf.js';
import { BytesSchema, refusals } from '../schemas.js';
import type { Services } from '../services.js';

const tags = ['transfer'];

const TakenSchema = Type.Object({
  added: Type.Integer({ minimum: 0 }),
  skipped: Type.Integer({ minimum: 0, description: 'Were there already.' }),
});
const ReportSchema = Type.Object(
  { groups: TakenSchema, people: TakenSchema, faces: TakenSchema, corrections: TakenSchema },
  {
    examples: [
      {
        groups: { added: 1, skipped: 1 },
        people: { added: 120, skipped: 0 },
        faces: { added: 240, skipped: 0 },
        corrections: { added: 3, skipped: 0 },
      },
    ],
  },
);

/** `GET /api/v1/export` and `POST /api/v1/import`: the gallery as one archive. */
export function transferRoutes(app: App, services: Services): void {
  const { config, gallery, enroller } = services;
  const { CACHE_DIR: cacheDir, MAX_IMPORT_BYTES: maxImportBytes } = config;
  const pack = { id: services.pack.id, length: services.pack.embedder.length };
  let importing = false;
  let exporting = false;
  app.addHook('onReady', () => sweepArchives(cacheDir));

  app.get(
    '/api/v1/export',
    {
      config: { access: 'admin', audit: 'export' },
      // A HEAD would read the whole gallery, for nobody.
      exposeHeadRoute: false,
      schema: {
        summary: 'Take the gallery along',
        description:
          'A zip of the vectors (one matrix, `vectors.npy`), people, groups and corrections (lines of JSON) and kept ' +
          'thumbnails, with a manifest (docs/archive.md). It is biometric data: keep it like a key.',
        tags,
        querystring: Type.Object(
          {
            groups: Type.Optional(
              Type.String({
                maxLength: 4000,
                description: 'These groups only: IDs, separated by commas. Default: all of the key.',
                examples: ['staff'],
              }),
            ),
          },
          { additionalProperties: false },
        ),
        produces: ['application/zip'],
        response: { 200: Type.Unsafe<Readable>({ contentMediaType: 'application/zip' }), ...refusals(404) },
      },
    },
    async (request, reply) => {
      const groups = await groupsToSearch(request, request.query.groups, gallery);
      request.audited.note({ groups: groups ? [...groups] : 'all' });
      throwIfGone(request.gone);
      if (exporting) {
        throw new KaomonError('BUSY', 'Another export is in progress: try again when it is done.', {
          retryAfter: 30,
        });
      }
      exporting = true;
      const archive = exportGallery({ gallery, pack, folder: cacheDir }, groups);
      archive.once('close', () => (exporting = false));
      reply.raw.once('close', () => archive.destroy());
      const name = `kaomon-${pack.id}-${new Date().toISOString().slice(0, 10)}.zip`;
      return reply
        .type('application/zip')
        .header('content-disposition', `attachment; filename="${name}"`)
        .header('cache-control', 'no-store')
        .send(archive);
    },
  );

  app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(['application/zip', 'application/octet-stream'], (_request, payload, parsed) =>
      parsed(null, detached(payload)),
    );
    scope.post(
      '/api/v1/import',
      {
        config: { access: 'admin', audit: 'import', streamsBody: true },
        bodyLimit: maxImportBytes,
        schema: {
          summary: 'Take an export over',
          description:
            'The whole archive is verified before anything changes. What is there already is passed over: an import ' +
            `that was broken off goes on when it is sent again. With \`Accept: ${PROGRESS_TYPE}\` the answer is lines ` +
            'of JSON that say how far it is, `{done, of}`, and last the same report as `{report}`, or what went wrong ' +
            'as `{error}`; an archive that is refused is answered as ever.',
          tags,
          body: { content: { 'application/zip': { schema: BytesSchema } } },
          response: { 200: ReportSchema, ...refusals(409, 413, 415) },
        },
      },
      async (request, reply) => {
        const { body } = request as { body: unknown };
        if (!(body instanceof Readable)) {
          throw new KaomonError('ARCHIVE_INVALID', 'There is no archive: send the zip file as the body.');
        }
        if (importing) {
          throw new KaomonError('BUSY', 'Another import is in progress: try again when it is done.', {
            retryAfter: 30,
          });
        }
        importing = true;
        const requireGroup = (groupid: string) => requireGroupAccess(request, groupid);
        const report = (list: 'groups' | 'people', id: string) => request.audited.did(list, id);
        // It comes back as it was: also faces that two people share, and those that stricter settings would refuse.
        const caller = callerId(request);
        const enrol: ImportDeps['enrol'] = (...what) =>
          enroller.enrolFace(...what, { force: true, isNew: true, caller, isAdmitted: true });
        const run = async (progress?: ImportOptions['progress']) => {
          let file: number | undefined;
          try {
            file = await openNameless(cacheDir);
            await pipeline(body, limitTo(maxImportBytes), writingTo(file));
            const requirePerson = config.CONSENT === 'required' ? requireConsentIn(gallery) : undefined;
            const options = { requireGroup, requirePerson, signal: request.gone, report, progress };
            return await importGallery({ gallery, pack, enrol }, file, options);
          } finally {
            importing = false;
            if (file !== undefined) await closeDescriptor(file);
          }
        };
        if (!request.headers.accept?.includes(PROGRESS_TYPE)) return run();
        const tracked = (progress: ImportOptions['progress']) => {
          const work = run(progress);
          request.audited.until(work);
          return work;
        };
        const lines = await importTelling(tracked, (error) => {
          const { known, message } = tellError(error, request);
          return { code: known.code, message };
        });
        // Before nginx would gather them.
        void reply.type(PROGRESS_TYPE).header('x-accel-buffering', 'no').header('cache-control', 'no-store');
        return reply.send(lines);
      },
    );
    done();
  });
}

/**
 * A body as a stream that can fail without the connection, over which the answer says why.
 */
function detached(payload: Readable): Readable {
  const copy = new PassThrough();
  // It may fail before anybody reads it, while the file is made: an error without a listener would end the process.
  copy.on('error', () => undefined);
  payload.once('error', (error) => copy.destroy(error));
  payload.once('close', () => {
    if (!payload.readableEnded) copy.destroy(clientGone());
  });
  return payload.pipe(copy);
}

/** @returns a stream that passes bytes on, and fails with UPLOAD_TOO_LARGE */
function limitTo(maxBytes: number): Transform {
  let length = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      length += chunk.length;
      if (length <= maxBytes) done(null, chunk);
      else done(tooLarge('The archive is', maxBytes));
    },
  });
}
