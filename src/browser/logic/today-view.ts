/** What `/today` shows: all of it stands in the address, so that Back, Reload and a bookmark show the same again. */
export interface TodayView {
  /** The visits, the unknown faces that wait for a name, or those that are ignored. */
  show: 'visits' | 'unknowns' | 'ignored';
  /** `2026-11-27`; '': today, whatever day that is; `all`: every day that is kept. */
  day: string;
  /** '': everybody, `known`, `unknown`, an unknown face (`unknown:u-7`), or a person (faceid, which has no colon). */
  who: string;
  /** groupid; '': all. */
  group: string;
  /** deviceid; '': all. */
  camera: string;
}

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const FACE = 'unknown:';

/** Reads the part of an address behind the question mark; what makes no sense counts as not there. */
export function readTodayView(query: string): TodayView {
  const given = new URLSearchParams(query);
  const text = (name: string) => given.get(name) ?? '';
  const day = text('day');
  const show = text('show');
  return {
    show: show === 'unknowns' || show === 'ignored' ? show : 'visits',
    day: day === 'all' || (DAY.test(day) && !Number.isNaN(startOf(day).getTime())) ? day : '',
    who: text('who'),
    group: text('group'),
    camera: text('camera'),
  };
}

/** The other way round. @returns with its question mark; '' for the page as it opens by itself */
export function writeTodayView(view: TodayView): string {
  const query = new URLSearchParams();
  if (view.show !== 'visits') query.set('show', view.show);
  for (const name of ['day', 'who', 'group', 'camera'] as const) {
    if (view[name] !== '') query.set(name, view[name]);
  }
  const text = query.toString();
  return text && `?${text}`;
}

/** The calendar day of a moment, where the browser is. */
export function dayOf(at: Date): string {
  const two = (n: number) => String(n).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** Its first moment, where the browser is: days that begin or end summer time are shorter or longer than others. */
export function startOf(day: string): Date {
  const [year, month, date] = day.split('-').map(Number);
  return new Date(year, month - 1, date);
}

/** Some days later, or earlier. */
export function dayAfter(day: string, by: number): string {
  const at = startOf(day);
  at.setDate(at.getDate() + by);
  return dayOf(at);
}

/** What to ask the server for. @param today the present calendar day */
export function queryOf(
  { day, who, group, camera }: TodayView,
  today: string,
): { from?: string; to?: string; faceid?: string; unknown?: string; groupid: string; deviceid: string } {
  const shown = day === '' ? today : day;
  const within =
    shown === 'all'
      ? {}
      : { from: startOf(shown).toISOString(), to: startOf(dayAfter(shown, 1)).toISOString() };
  const whom =
    who === ''
      ? {}
      : who === 'known' || who === 'unknown'
        ? { unknown: String(who === 'unknown') }
        : who.startsWith(FACE)
          ? { unknown: who.slice(FACE.length) }
          : { faceid: who };
  return { ...within, ...whom, groupid: group, deviceid: camera };
}

/** Whether somebody is left out beyond the day. */
export function isNarrowed({ who, group, camera }: TodayView): boolean {
  return who !== '' || group !== '' || camera !== '';
}

/** How the address says that the visits of one unknown face are shown. */
export function whoIsUnknown(id: string): string {
  return FACE + id;
}
