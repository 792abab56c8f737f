import type { Sighting } from '../logic/visits.js';
import { whoIsUnknown } from '../logic/today-view.js';
import { messageOf } from './api.js';
import { openDialog } from './dialog.js';
import { make } from './dom.js';
import { formatNumber, words } from './i18n.js';
import { correctSighting, removeCorrection } from './sightings-api.js';
import { toast } from './toast.js';
import { offerUndo } from './undo.js';
import type { UnknownDialogs } from './unknown-dialogs.js';
import { pageOf } from './person-visits.js';
import { nameOfVisit, timeOfVisit } from './visit-time.js';

interface VisitDialogDeps {
  /** Undefined where the key may not see strangers. */
  dialogs: UnknownDialogs | undefined;
  mayEdit: boolean;
  nameOfGroup: (groupid: string) => string;
  /** Shows all visits of somebody: see `TodayView`. Undefined where they are shown already. */
  onShow: ((who: string) => void) | undefined;
  /** The visit is told of otherwise now. */
  onChange: (id: number) => void;
  /** It is to be deleted. */
  onRemove: (sighting: Sighting) => void;
  onClosed: () => void;
}

/** Everything about one visit: who, when, where, and what can be done about it. */
export function openVisit(sighting: Sighting, deps: VisitDialogDeps): void {
  const { id, person, picture, deviceid, frames, distance, unknown } = sighting;
  const rows: [string, string][] = [
    [words.visitTime, timeOfVisit(sighting, true)],
    [words.visitCamera, deviceid || '–'],
    [words.visitFrames, formatNumber(frames)],
  ];
  if (person) {
    rows.push([words.group, deps.nameOfGroup(person.groupid)]);
    if (distance !== null) rows.push([words.distance, formatNumber(distance, 3)]);
  }
  const list = make('dl', { className: 'rows' });
  for (const [term, text] of rows) list.append(make('dt', {}, term), make('dd', {}, text));
  const buttons = make('div', { className: 'buttons' });
  const act = (elementId: string, label: string, run: () => void, className = '') => {
    const button = make('button', { type: 'button', id: elementId, className }, label);
    button.addEventListener('click', () => {
      dialog.close();
      run();
    });
    buttons.append(button);
  };
  const dialog = openDialog(
    nameOfVisit(sighting),
    [
      ...(picture === null ? [] : [make('img', { className: 'visit-picture', src: picture, alt: '' })]),
      list,
      buttons,
    ],
    deps.onClosed,
  );
  if (person) {
    const { onShow } = deps;
    if (onShow) {
      buttons.append(make('a', { className: 'button', href: pageOf(person.faceid) }, words.showPerson));
      act('all-visits', words.showVisits, () => onShow(person.faceid));
    }
    if (deps.mayEdit) act('not-this-person', words.notThisPerson, () => void correct(id, person, deps));
  } else if (unknown !== null && deps.dialogs) {
    const face = { id: unknown, pictures: picture === null ? [] : [picture] };
    const { dialogs } = deps;
    act('all-visits', words.showVisits, () => deps.onShow?.(whoIsUnknown(unknown)));
    act('ignore', words.ignoreIt, () => dialogs.ignore(face, true));
    act('same-as', words.sameAs, () => dialogs.sameAs(face));
    act('name', words.nameIt, () => dialogs.name(face), 'primary');
  }
  if (deps.mayEdit) act('remove-visit', words.removeVisit, () => deps.onRemove(sighting), 'danger');
}

async function correct(
  id: number,
  { username, userid }: NonNullable<Sighting['person']>,
  { onChange }: VisitDialogDeps,
): Promise<void> {
  try {
    const correction = await correctSighting(id);
    onChange(id);
    offerUndo(words.notThem(username || userid), async () => {
      await removeCorrection(correction);
      onChange(id);
    });
  } catch (error) {
    toast(messageOf(error), { kind: 'bad' });
  }
}
