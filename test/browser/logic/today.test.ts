import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { dayAfter, dayOf, queryOf, readTodayView, startOf } from '../../../src/browser/logic/today-view.js';
import { createVisits, type Sighting } from '../../../src/browser/logic/visits.js';

const HOUR = 3_600_000;

describe('the days of the page of the day', () => {
  const zone = process.env.TZ;
  after(() => {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  });
  const view = readTodayView('');

  for (const [timezone, year, lengths] of [
    ['Asia/Tokyo', 2026, [24]],
    ['Europe/Berlin', 2026, [23, 24, 25]],
    // Summer time begins at midnight: the first hour of that day is missing.
    ['America/Santiago', 2026, [23, 24, 25]],
    // Half an hour.
    ['Australia/Lord_Howe', 2026, [23.5, 24, 24.5]],
    // The day of 30 December was left out.
    ['Pacific/Apia', 2011, [23, 24, 25]],
  ] as const) {
    it(`follow one another without a gap all year in ${timezone}`, () => {
      process.env.TZ = timezone;
      const seen = new Set<number>();
      let day = `${year}-01-01`;
      let end = startOf(day).getTime();
      for (let n = 0; day < `${year + 1}-01-01` && n < 400; n++) {
        const { from = '', to = '' } = queryOf({ ...view, day }, '');
        assert.equal(Date.parse(from), end, `${day} begins where the day before ended`);
        end = Date.parse(to);
        seen.add((end - Date.parse(from)) / HOUR);
        assert.equal(dayOf(new Date(from)), day);
        assert.equal(dayOf(new Date(end - 1)), day, 'and its last moment is its own');
        const next = dayAfter(day, 1);
        assert.ok(next > day, `${next} comes after ${day}`);
        day = next;
      }
      assert.deepEqual([...seen].sort(), [...lengths]);
    });
  }
});

const visit = (id: number, more: Partial<Sighting> = {}): Sighting => ({
  ...{ id, deviceid: 'door', first: '', last: '', frames: 1, isOpen: false },
  ...{ person: null, distance: null, unknown: null, picture: null },
  ...more,
});

describe('the visits of a page', () => {
  it('tell of what is new once, and of nothing that has only moved up', () => {
    const visits = createVisits();
    visits.reset([visit(9), visit(8), visit(7)]);
    visits.refresh([visit(10), visit(9), visit(8)]);
    assert.equal(visits.waiting, 1);
    visits.refresh([visit(10), visit(9), visit(8)]);
    assert.equal(visits.waiting, 1);
    // Two were deleted elsewhere: older ones are in the first page now.
    visits.refresh([visit(10), visit(9), visit(6)]);
    assert.equal(visits.waiting, 1, 'an older visit is no news');
    // One that ended before somebody who is still there came.
    visits.refresh([visit(8, { isOpen: true }), visit(11), visit(10)]);
    assert.equal(visits.waiting, 2);
  });

  it('count one that was loaded meanwhile as shown', () => {
    const visits = createVisits();
    visits.reset([visit(9)]);
    visits.refresh([visit(10), visit(9)]);
    assert.deepEqual(
      visits.append([visit(10), visit(9), visit(5)]).map(({ id }) => id),
      [10, 5],
    );
    assert.equal(visits.waiting, 0);
  });
});
