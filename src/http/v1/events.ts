import { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { throwIfGone } from '../../platform/errors.js';
import { splitFaceId } from '../../gallery/ids.js';
import type { ChangeKind, GalleryChange } from '../../gallery/types.js';
import { mayUseGroup } from '../access.js';
import { createShares } from '../../platform/shares.js';
import type { App } from '../app-type.js';
import { callerId } from '../on-behalf.js';
import { refusals } from '../schemas.js';
import type { Services } from '../services.js';

/** How often a comment is sent, milliseconds: proxies end a connection that is silent for a minute. */
const HEARTBEAT = 15_000;
/** A listener that leaves more than this unread is disconnected, bytes: it can come again. */
const MAX_UNREAD = 1_000_000;

/** The API's names of the gallery's changes. */
const EVENT_OF: Record<ChangeKind, string> = {
  created: 'created',
  enrolled: 'enrolled',
  updated: 'updated',
  moved: 'moved',
  merged: 'merged',
  removed: 'deleted',
  'face-removed': 'face-deleted',
  corrected: 'corrected',
  'correction-removed': 'correction-deleted',
  'group-created': 'group-created',
  'group-updated': 'group-updated',
  'group-removed': 'group-deleted',
  'threshold-changed': 'threshold-changed',
};

/** `GET /api/v1/events`: server-sent events, as they happen; what was missed is not sent later. */
export function eventRoutes(app: App, { config, gallery, sightings, share }: Services): void {
  const open = new Set<Readable>();
  const listeners = createShares({
    total: config.MAX_EVENT_LISTENERS,
    share,
    retryAfter: 30,
    full: 'Too many programs follow the events',
    mine: 'Too many programs of this caller follow the events',
  });
  // These streams never end by themselves: a shutdown would wait for ever.
  app.addHook('preClose', (done) => {
    for (const stream of open) stream.push(null);
    done();
  });

  app.get(
    '/api/v1/events',
    {
      config: { access: 'recognise' },
      // A HEAD would start to listen, for nobody.
      exposeHeadRoute: false,
      schema: {
        summary: 'Follow what happens',
        description:
          'Server-sent events: `enrolled`, `deleted`, `recognised` (a person once in ten seconds), `created`, ' +
          '`updated`, `moved`, `merged`, `face-deleted`, `corrected`, `correction-deleted`, `group-created`, `group-updated`, `group-deleted`, `threshold-changed`. The data ' +
          'is JSON: `at`, `groupid`, and where they apply `faceid`, `from`, `face`, `userid`, `username`, `distance`, `odds`, `oddsAtMost`. ' +
          'What happens while nobody is connected is not sent later.',
        tags: ['events'],
        produces: ['text/event-stream'],
        response: {
          200: Type.Unsafe<Readable>({
            type: 'string',
            examples: ['event: enrolled\ndata: {"groupid":"staff","faceid":"staff-ada"}\n\n'],
          }),
          ...refusals(),
        },
      },
    },
    async (request, reply) => {
      throwIfGone(request.gone);
      const who = callerId(request);
      listeners.take(who, 1);
      const stream = new Readable({ read: () => undefined });
      const send = (text: string) => {
        if (stream.readableEnded || stream.destroyed) return;
        if (stream.readableLength > MAX_UNREAD) stream.destroy();
        else stream.push(text);
      };
      const sendEvent = (event: string, data: object) =>
        send(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
      open.add(stream);
      const heartbeat = setInterval(() => send(': alive\n\n'), HEARTBEAT).unref();
      const ends = [
        gallery.subscribe((change) => {
          const told = asSeenBy(request, change);
          if (told) sendEvent(...told);
        }),
        sightings.subscribe((sighting) => {
          if (mayUseGroup(request, sighting.groupid)) sendEvent('recognised', sighting);
        }),
      ];
      stream.once('close', () => {
        open.delete(stream);
        listeners.give(who, 1);
        clearInterval(heartbeat);
        for (const end of ends) end();
      });
      // Whatever becomes of the answer, the stream ends with its connection.
      reply.raw.once('close', () => stream.destroy());
      // At once, so that the client knows that it is connected, and no buffer in between waits for more.
      send(': connected\n\n');
      return reply
        .type('text/event-stream')
        .header('cache-control', 'no-store')
        .header('x-accel-buffering', 'no')
        .send(stream);
    },
  );
}

/** A change as the caller may see it: whoever left the caller's groups is gone, whoever came from elsewhere is new. */
function asSeenBy(
  request: Pick<FastifyRequest, 'caller'>,
  { kind, from, ...change }: GalleryChange,
): [event: string, data: object] | undefined {
  const fromGroup = from === undefined ? undefined : splitFaceId(from)?.groupid;
  const seesFrom = fromGroup !== undefined && mayUseGroup(request, fromGroup);
  if (mayUseGroup(request, change.groupid)) {
    return [EVENT_OF[kind], { ...change, ...(seesFrom && { from }) }];
  }
  return seesFrom ? ['deleted', { at: change.at, groupid: fromGroup, faceid: from }] : undefined;
}
