import type { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { KaomonError, throwIfGone } from '../../platform/errors.js';
import { splitFaceId } from '../../gallery/ids.js';
import type { GalleryChange } from '../../gallery/types.js';
import { CHANGE_NAMES } from '../../notices/types.js';
import { mayUseGroup } from '../access.js';
import { createShares } from '../../platform/shares.js';
import type { App } from '../app-type.js';
import { callerId } from '../on-behalf.js';
import { refusals } from '../schemas.js';
import type { Services } from '../services.js';
import { createEventFeed } from './event-feed.js';
import { createListener } from './listener.js';
import { maySee, toSighting, withPeople } from './sighting-schemas.js';

/** How often a comment is sent, milliseconds: proxies end a connection that is silent for a minute. */
const HEARTBEAT = 15_000;
/** A listener that leaves more than this unread is disconnected, bytes: it can come again. */
const MAX_UNREAD = 1_000_000;

/** Where a follower was: a position of the event log, and one of the sightings. */
interface Position {
  log: string;
  seq: number | undefined;
}

const POSITION = /^([^~]{0,200})~(\d{0,15})$/;

/** @throws KaomonError FIELD_INVALID */
function positionOf(text: string | undefined): Position {
  if (text === undefined || text === '') return { log: '', seq: undefined };
  const found = POSITION.exec(text);
  if (!found)
    throw new KaomonError(
      'FIELD_INVALID',
      'The position is none that this server gave as the `id` of an event.',
      {
        details: { field: 'after' },
      },
    );
  const [, log, seq] = found;
  return { log, seq: seq === '' ? undefined : Number(seq) };
}

/**
 * `GET /api/v1/events`: server-sent events, as they happen. Those of the gallery and of sightings have a position, with
 * which a client that was away takes up where it stopped.
 */
export function eventRoutes(
  app: App,
  { config, gallery, announcer, sightings, events, share }: Services,
): void {
  const open = new Set<{ end: () => void }>();
  const feed = createEventFeed(gallery, events);
  const listeners = createShares({
    total: config.MAX_EVENT_LISTENERS,
    share,
    retryAfter: 30,
    full: 'Too many programs follow the events',
    mine: 'Too many programs of this caller follow the events',
  });
  // These streams never end by themselves: a shutdown would wait for ever.
  app.addHook('preClose', (done) => {
    for (const listener of open) listener.end();
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
          '`updated`, `moved`, `merged`, `face-deleted`, `corrected`, `correction-deleted`, `group-created`, ' +
          '`group-updated`, `group-deleted`, `threshold-changed`; with ' +
          '`SIGHTINGS` also `arrived`, `left` and `unknown`, whose data is a sighting. The data of the others ' +
          'is JSON: `at`, `groupid`, and where they apply `faceid`, `from`, `face`, `userid`, `username`, `distance`, `odds`, `oddsAtMost`. ' +
          'All but `recognised` have an `id`: sent back as `Last-Event-ID` or `after`, it makes the server begin with ' +
          'what came after it. `lost` says that some of that is not kept any more: read anew what you keep.',
        tags: ['events'],
        querystring: Type.Object(
          {
            after: Type.Optional(
              Type.String({ maxLength: 220, description: 'The `id` of the last event that you have.' }),
            ),
          },
          { additionalProperties: false },
        ),
        produces: ['text/event-stream'],
        response: {
          200: Type.Unsafe<Readable>({
            type: 'string',
            examples: ['id: 1-2048~31\nevent: enrolled\ndata: {"groupid":"staff","faceid":"staff-ada"}\n\n'],
          }),
          ...refusals(),
        },
      },
    },
    async (request, reply) => {
      throwIfGone(request.gone);
      const { 'last-event-id': last } = request.headers;
      // What a browser sends when it connects again is newer than the address.
      const asked = typeof last === 'string' && last !== '' ? last : request.query.after;
      const position = positionOf(asked);
      // Cut off before one of the two was known: what has happened there since, nobody can tell.
      const isResumed = asked !== undefined && asked !== '';
      const hasMissed = {
        log: isResumed && position.log === '',
        seq: isResumed && position.seq === undefined,
      };
      const who = callerId(request);
      listeners.take(who, 1);
      const listener = createListener(MAX_UNREAD);
      const { stream, send, room } = listener;
      const say = (event: string, data: object) => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
      const here = () => `id: ${position.log}~${position.seq ?? ''}\n`;
      const opened = {
        end: () => {
          stop();
          listener.end();
        },
      };
      open.add(opened);
      const heartbeat = setInterval(() => send(': alive\n\n'), HEARTBEAT).unref();
      const missed = () => send(here() + say('lost', {}));
      const ends = [
        feed.follow(position.log, {
          changed(change, after) {
            position.log = after;
            const seen = asSeenBy(request, change);
            if (seen) send(here() + say(...seen));
            return room();
          },
          at(now, isLost) {
            position.log = now;
            if (isLost || hasMissed.log) missed();
            // Known from the start: a client may be cut off before the first event.
            else send(`${here()}: here\n\n`);
            hasMissed.log = false;
          },
        }),
        announcer.subscribe((recognised) => {
          if (mayUseGroup(request, recognised.groupid)) send(say('recognised', recognised));
        }),
      ];
      const happened = sightings?.happenings.follow(position.seq, {
        async happened(batch) {
          for (const { seq, kind, sighting } of batch) {
            // A batch comes again where the gallery could not be asked in the middle of it.
            if (position.seq !== undefined && seq <= position.seq) continue;
            const isSeen = sighting && maySee(request.caller, sighting);
            const people = isSeen ? await withPeople([sighting], gallery) : [];
            // Not before: a change that is sent meanwhile would say that this has been sent.
            position.seq = seq;
            for (const { sighting: told, person } of people)
              send(here() + say(kind, toSighting(told, person, request.caller)));
          }
          await room();
        },
        at(now, isLost) {
          position.seq = now;
          if (isLost || hasMissed.seq) missed();
          else send(`${here()}: here\n\n`);
          hasMissed.seq = false;
        },
      });
      if (happened) ends.push(() => happened.close());
      stream.once('close', () => {
        open.delete(opened);
        listeners.give(who, 1);
        stop();
      });
      // Also before the listener has read the last of it: nobody may ever do.
      function stop(): void {
        clearInterval(heartbeat);
        for (const end of ends.splice(0)) end();
      }
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
    return [CHANGE_NAMES[kind], { ...change, ...(seesFrom && { from }) }];
  }
  return seesFrom ? ['deleted', { at: change.at, groupid: fromGroup, faceid: from }] : undefined;
}
