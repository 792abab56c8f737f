import { Type, type Static } from 'typebox';
import { OBSTACLES } from '../platform/files/obstacles.js';
import type { Notices } from '../notices/open.js';
import type { ReceiverState } from '../notices/post.js';
import type { Sightings } from '../sightings/open.js';
import type { Services } from './services.js';

/** What does not work at the moment while recognition does. The sentences name no paths: anybody may read them. */
export const TroubleSchema = Type.Array(
  Type.Object({
    what: Type.Enum(['gallery', 'audit', 'events', 'notices', 'sightings']),
    message: Type.String(),
  }),
  { description: 'What does not work while recognition does: present when `status` is `degraded`.' },
);
export type Trouble = Static<typeof TroubleSchema>;

const AUDIT = 'The audit file cannot be written: its lines wait in memory and are lost if this process ends.';

/** How long a receiver may take nothing, milliseconds. */
const PATIENCE = 30_000;

/** As it was when last checked: nothing is waited for. */
export function troubleOf({
  gallery,
  audit,
  events,
  notices,
  sightings,
}: Pick<Services, 'gallery' | 'audit' | 'events' | 'notices' | 'sightings'>): Trouble {
  const { obstacle } = gallery.info();
  const trouble: Trouble = [];
  if (obstacle) trouble.push({ what: 'gallery', message: OBSTACLES[obstacle].message });
  if (audit.obstacle()) trouble.push({ what: 'audit', message: AUDIT });
  if (events?.info().trouble) {
    trouble.push({
      what: 'events',
      message:
        "The event log is not being followed: changes by other workers are not seen. This worker's log says why.",
    });
  }
  const told = notices && troubleOfNotices(notices.info());
  if (told) trouble.push({ what: 'notices', message: told });
  const missed = sightings && troubleOfSightings(sightings.info());
  if (missed) trouble.push({ what: 'sightings', message: missed });
  return trouble;
}

/** A receiver that is restarted is no trouble. Who it is stands in `GET /api/v1/notices`. */
function troubleOfNotices({ receivers, trouble }: ReturnType<Notices['info']>): string | undefined {
  if (trouble !== null)
    return "Notices to others cannot be sent, or how far they were cannot be written down. This worker's log says why.";
  const isLate = ({ failing }: Pick<ReceiverState, 'failing'>) =>
    failing && Date.now() - Date.parse(failing.since) > PATIENCE;
  if (receivers.some(({ isOff, failing }) => !isOff && isLate({ failing })))
    return 'A receiver of notices takes none: they wait for it and are sent again. GET /api/v1/notices says which.';
  if (receivers.some(({ isOff }) => isOff))
    return 'A receiver of notices wants no more (410) and is switched off. GET /api/v1/notices says which.';
  return undefined;
}

function troubleOfSightings({ trouble, isDropping }: ReturnType<Sightings['info']>): string | undefined {
  if (trouble !== undefined)
    return "Sightings cannot be written: the newest wait in memory and are written later. This worker's log says why.";
  if (isDropping)
    return 'Sightings were dropped in the last minutes: more people came by at once than can be kept.';
  return undefined;
}

/** Readiness: a load balancer must not drop a worker that still recognises only because its disk is full. */
export function statusOf(able: boolean, trouble: Trouble): 'ok' | 'degraded' | 'unavailable' {
  if (!able) return 'unavailable';
  return trouble.length > 0 ? 'degraded' : 'ok';
}
