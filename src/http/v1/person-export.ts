import { Readable } from 'node:stream';
import { Type } from 'typebox';
import { inPieces } from '../../gallery/archive/pieces.js';
import { createSpool, type Spool } from '../../gallery/archive/spool.js';
import { createZipWriter } from '../../gallery/archive/write-zip.js';
import { encodeNpy } from '../../gallery/store/npy.js';
import type { Person } from '../../gallery/types.js';
import { throwIfGone } from '../../platform/errors.js';
import type { Cursor, Sighting } from '../../sightings/types.js';
import type { App } from '../app-type.js';
import { FaceidSchema, refusals } from '../schemas.js';
import type { Services } from '../services.js';
import { requirePerson } from './people.js';
import { toPerson } from './person-schemas.js';
import { sightingPages } from './sighting-pages.js';

/** Sightings read at a time. */
const AT_ONCE = 200;
/** Bytes sent at a time. */
const PIECE = 1 << 18;

const json = (value: unknown) => Buffer.from(`${JSON.stringify(value, null, 2)}\n`);

/** `GET /api/v1/people/{faceid}/export`: all that is kept of one person, for whoever asks what that is. */
export function personExportRoutes(app: App, { config, gallery, sightings }: Services): void {
  app.get(
    '/api/v1/people/:faceid/export',
    {
      config: { access: 'admin', audit: 'export' },
      // A HEAD would read everything, for nobody.
      exposeHeadRoute: false,
      schema: {
        summary: 'Take along what is kept of one person',
        description:
          'A zip: `person.json` (name, metadata, consent, pictures, corrections), the embedding and the kept picture of each face and correction, ' +
          '`sightings.json` and what is kept of each visit. For a request for access (docs/privacy.md); it cannot be imported.',
        tags: ['people'],
        params: Type.Object({ faceid: FaceidSchema }),
        produces: ['application/zip'],
        response: {
          200: Type.Unsafe<Readable>({ contentMediaType: 'application/zip' }),
          ...refusals(404),
        },
      },
    },
    async (request, reply) => {
      const person = await requirePerson(request, request.params.faceid, gallery);
      await sightings?.flush();
      throwIfGone(request.gone);
      const spool = createSpool(config.CACHE_DIR);
      const parts = write(person, request.gone, spool);
      const archive = Readable.from(inPieces(parts, PIECE), { objectMode: false, highWaterMark: PIECE });
      archive.once('close', () => void spool.close());
      reply.raw.once('close', () => archive.destroy());
      return reply
        .type('application/zip')
        .header('content-disposition', `attachment; filename="${person.faceid}.zip"`)
        .header('cache-control', 'no-store')
        .send(archive);
    },
  );

  async function* write(person: Person, gone: AbortSignal, spool: Spool): AsyncGenerator<Buffer> {
    const zip = createZipWriter(spool, new Date());
    const { faceid, faces } = person;
    const corrections = gallery.corrections({ faceid });
    const described = { ...toPerson(person, () => null), faces, corrections };
    yield* zip.add('person.json', json(described));
    for (const { face, vector } of await gallery.vectors(faceid)) {
      throwIfGone(gone);
      yield* zip.add(`faces/${face.id}.npy`, encodeNpy(vector));
      const picture = face.hasPicture ? await gallery.picture(faceid, face.id) : undefined;
      if (picture) yield* zip.add(`faces/${face.id}.png`, Buffer.from(picture));
    }
    for (const { id, hasPicture } of corrections) {
      throwIfGone(gone);
      const picture = hasPicture ? await gallery.correctionPicture(faceid, id) : undefined;
      if (picture) yield* zip.add(`corrections/${id}.png`, Buffer.from(picture));
    }
    const visits = await visitsOf(faceid, gone);
    yield* zip.add('sightings.json', json(visits.map(describeVisit)));
    for (const { id } of visits) {
      throwIfGone(gone);
      const best = await sightings?.store.ask('face', id);
      if (!best) continue;
      yield* zip.add(`sightings/${id}.npy`, encodeNpy(best.vector));
      if (best.crop) yield* zip.add(`sightings/${id}.png`, Buffer.from(best.crop));
    }
    yield* zip.end();
  }

  async function visitsOf(faceid: string, gone: AbortSignal): Promise<Sighting[]> {
    const all: Sighting[] = [];
    if (!sightings) return all;
    const { store } = sightings;
    const page = (after: Cursor | undefined, limit: number) =>
      store.ask('sightings', { faceid }, after, limit);
    for await (const found of sightingPages(page, AT_ONCE, gone)) all.push(...found);
    return all;
  }
}

/** With times that a person can read. */
const describeVisit = ({ first, last, ...visit }: Sighting) => ({
  ...visit,
  first: new Date(first).toISOString(),
  last: new Date(last).toISOString(),
});
