import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { toCsv } from '../../../src/browser/logic/csv.js';
import { certaintyOf, nameOf, type SeenFace } from '../../../src/browser/logic/faces.js';
import { createFrameSize, WIDTHS } from '../../../src/browser/logic/frame-size.js';
import { cropAround, fitInside, toStage } from '../../../src/browser/logic/geometry.js';
import { firstFault, isGood, judge } from '../../../src/browser/logic/guide.js';
import { chooseLanguage, LANGUAGES } from '../../../src/browser/logic/language.js';
import { textOf, wordsOf } from '../../../src/browser/logic/texts.js';
import { initialsOf, shownOf, turnPage } from '../../../src/browser/logic/paging.js';
import { createUndoQueue } from '../../../src/browser/logic/pending.js';
import { formatDuration, linePath, minutesIn, niceTop } from '../../../src/browser/logic/series.js';
import { credentialOf, readKey, safeNext } from '../../../src/browser/logic/sign-in.js';
import { ERROR_CODES } from '../../../src/platform/errors.js';
import { PROJECT_ROOT } from '../../../src/platform/root.js';

/** The files of a folder and of the folders in it, with their texts. */
function filesBelow(folder: string, ending: string): { file: string; text: string }[] {
  return readdirSync(path.join(PROJECT_ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(ending))
    .map((file) => ({ file, text: readFileSync(path.join(PROJECT_ROOT, folder, file), 'utf8') }));
}

const IDENTITY = {
  faceid: 'g-ken',
  userid: 'ken',
  username: 'Ken',
  groupid: 'g',
  groupname: 'G',
  distance: 0.2,
  odds: null,
  oddsAtMost: false,
};

describe('the texts of the pages', () => {
  it('have a name of their own each, for the files of a language are one list', async () => {
    for (const language of LANGUAGES) {
      const folder = new URL(`../../../src/browser/logic/words/${language}/`, import.meta.url);
      const names: string[] = [];
      for (const file of readdirSync(folder).filter((name) => name.endsWith('.js'))) {
        const parts = (await import(new URL(file, folder).href)) as Record<string, object>;
        for (const part of Object.values(parts)) names.push(...Object.keys(part));
      }
      const doubles = names.filter((name, i) => names.indexOf(name) !== i);
      assert.deepEqual(doubles, []);
      assert.deepEqual(names.sort(), Object.keys(wordsOf(language)).sort());
    }
  });
});

describe('how sure', () => {
  const thresholds = { identical: 0.5, sure: 0.25 };
  it('is a word and a part that grows with nearness', () => {
    assert.equal(certaintyOf({ ...IDENTITY, distance: 0.1 }, thresholds).level, 'sure');
    assert.equal(certaintyOf({ ...IDENTITY, distance: 0.3 }, thresholds).level, 'likely');
    assert.equal(certaintyOf({ ...IDENTITY, faceid: '', distance: 0.9 }, thresholds).level, 'unknown');
    const parts = [0, 0.1, 0.3, 0.49].map(
      (distance) => certaintyOf({ ...IDENTITY, distance }, thresholds).part,
    );
    assert.deepEqual(
      parts,
      [...parts].sort((a, b) => b - a),
    );
    assert.equal(parts[0], 1);
    assert.ok(parts[3] >= 0.2);
  });
  it('shows names, not codes', () => {
    assert.equal(nameOf(IDENTITY), 'Ken');
    assert.equal(nameOf({ ...IDENTITY, username: null }), 'ken');
    assert.equal(nameOf({ ...IDENTITY, faceid: '' }), '');
  });
});

describe('the size of the frames', () => {
  const after = (roundTrip: number, answers: number) => {
    const size = createFrameSize();
    for (let i = 0; i < answers; i++) size.answered(roundTrip);
    return size.width(4000);
  };
  it('grows on a fast way, shrinks on a slow one, and stays in between', () => {
    assert.equal(after(40, 100), WIDTHS.at(-1));
    assert.equal(after(2000, 100), WIDTHS[0]);
    assert.equal(after(300, 100), 640);
  });
  it('is never more than the camera gives', () => {
    assert.equal(createFrameSize().width(400), 400);
  });
  it('does not swing between two sizes of which one is too large', () => {
    const size = createFrameSize();
    let changes = 0;
    for (let i = 0, last = 640; i < 400; i++) {
      const now = size.width(4000);
      if (now !== last) changes += 1;
      last = now;
      size.answered(now > 640 ? 900 : 100);
    }
    assert.ok(changes <= 12, `${changes} changes in 400 answers`);
  });
});

describe('where things are drawn', () => {
  it('fits the picture into the stage without cutting it', () => {
    assert.deepEqual(fitInside({ width: 200, height: 100 }, { width: 100, height: 100 }), {
      ...{ x: 0, y: 25, width: 100, height: 50 },
    });
  });
  it('mirrors boxes with the picture', () => {
    const area = { x: 0, y: 25, width: 100, height: 50 };
    const box = { x: 0.1, y: 0.5, width: 0.2, height: 0.4 };
    assert.deepEqual(toStage(box, area, false), { x: 10, y: 50, width: 20, height: 20 });
    assert.deepEqual(toStage(box, area, true), { x: 70, y: 50, width: 20, height: 20 });
  });
  it('cuts a face with room around it, inside the frame', () => {
    const frame = { width: 1000, height: 500 };
    const part = cropAround({ x: 0.4, y: 0.3, width: 0.1, height: 0.2 }, frame);
    assert.deepEqual(part, { x: 350, y: 100, width: 200, height: 200 });
    const corner = cropAround({ x: -0.05, y: -0.05, width: 0.2, height: 0.4 }, frame);
    assert.ok(corner.x === 0 && corner.y === 0 && corner.width > 0 && corner.height > 0);
  });
});

describe('the guide', () => {
  const quality = { size: 200, sharpness: 60, brightness: 120, yaw: 3, pitch: -5, roll: 1 };
  const face = (width: number, more: Partial<SeenFace> = {}): SeenFace => ({
    track: 1,
    box: { x: 0.1, y: 0.1, width, height: width * 1.7 },
    identity: IDENTITY,
    quality,
    ...more,
  });
  const frame = { width: 640, height: 360 };
  const of = (...faces: SeenFace[]) => judge(faces, frame, { width: 1280 });

  it('passes one large, sharp, straight face', () => {
    assert.ok(isGood(of(face(0.3))));
    assert.equal(firstFault(of(face(0.3))), undefined);
  });
  it('names the first thing to be mended', () => {
    const faults = [
      of(),
      of(face(0.3), face(0.25)),
      of(face(0.05)),
      of(face(0.3, { quality: { ...quality, brightness: 20 } })),
      of(face(0.3, { quality: { ...quality, sharpness: 4 } })),
      of(face(0.3, { quality: { ...quality, yaw: -40 } })),
    ];
    assert.deepEqual(faults.map(firstFault), ['found', 'one', 'large', 'light', 'sharp', 'straight']);
    assert.ok(!faults.some(isGood));
  });
  it('lets somebody far in the background be', () => {
    assert.ok(isGood(of(face(0.3), face(0.05))));
  });
  it('judges by size alone where the server measured nothing', () => {
    const bare = of(face(0.3, { quality: undefined }));
    assert.ok(isGood(bare));
    assert.equal(bare.sharp, undefined);
  });
  it('lets a head be turned gently where that is asked for', () => {
    const turned = face(0.3, { quality: { ...quality, yaw: 33 } });
    assert.equal(firstFault(of(turned)), 'straight');
    assert.ok(isGood(judge([turned], frame, { width: 1280 }, true)));
  });
});

describe('the language', () => {
  it('is what was chosen, else the first of the browser that there is, else English', () => {
    assert.equal(chooseLanguage('ja', ['en']), 'ja');
    assert.equal(chooseLanguage('xx', ['fr', 'ja-JP', 'en']), 'ja');
    assert.equal(chooseLanguage(null, ['en-GB', 'ja']), 'en');
    assert.equal(chooseLanguage(null, ['fr']), 'en');
  });

  it('has every text that the pages name, and the pages use every text', () => {
    const pages = filesBelow('src/browser/html', '.html');
    const code = filesBelow('src/browser', '.ts').filter(({ file }) => !file.includes('words'));
    const named = new Set(
      pages.flatMap(({ text }) => [...text.matchAll(/data-t(?:-[a-z]+)?="([^"]+)"/g)].map(([, key]) => key)),
    );
    for (const key of named)
      for (const language of LANGUAGES) assert.ok(textOf(wordsOf(language), key), `${key} in ${language}`);
    const unused = Object.keys(wordsOf('en')).filter((key) => {
      const uses = new RegExp(`words\\.${key}\\b`);
      return !named.has(key) && !code.some(({ text }) => uses.test(text));
    });
    assert.deepEqual(unused, []);
  });

  it('has the same texts in every language', () => {
    const shapeOf = (value: unknown): unknown =>
      typeof value === 'object' && value !== null
        ? Object.fromEntries(
            Object.entries(value)
              .map(([key, inner]) => [key, shapeOf(inner)] as const)
              .sort(([a], [b]) => (a < b ? -1 : 1)),
          )
        : typeof value;
    for (const language of LANGUAGES) {
      assert.deepEqual(shapeOf(wordsOf(language)), shapeOf(wordsOf('en')), language);
    }
  });

  it('has no text in Japanese that was left in English', () => {
    const [en, ja] = [wordsOf('en'), wordsOf('ja')];
    const same = Object.keys(en).filter((key) => {
      const text = textOf(en, key);
      return text !== undefined && text.length > 3 && textOf(ja, key) === text;
    });
    assert.deepEqual(same, ['appName', 'wayStream']);
  });

  it('knows only codes that the server has', () => {
    const own = ['GONE'];
    const unknown = Object.keys(wordsOf('en').errors).filter((code) => !own.includes(code));
    assert.deepEqual(
      unknown.filter((code) => !(ERROR_CODES as string[]).includes(code)),
      [],
    );
  });
});

describe('CSV', () => {
  it('quotes what must be quoted, leaves empty what is not there and lets no spreadsheet run a name', () => {
    const rows = [
      ['a', 'say "x"', 'one, two'],
      ['=1+2', 3, null],
    ];
    assert.equal(toCsv(rows), '\uFEFFa,"say ""x""","one, two"\r\n\'=1+2,3,\r\n');
  });
});

describe('undoing', () => {
  function clock() {
    const jobs = new Map<symbol, () => void>();
    const schedule = (run: () => void) => {
      const key = Symbol('job');
      jobs.set(key, run);
      return () => jobs.delete(key);
    };
    return { schedule, ring: () => [...jobs.values()].forEach((run) => run()), jobs };
  }

  it('calls off what has not been done, once', () => {
    const { schedule, ring } = clock();
    const done: string[] = [];
    const pendings = createUndoQueue({ schedule });
    const pending = pendings.add(
      () => done.push('run'),
      () => done.push('undone'),
    );
    pending.undo();
    pending.undo();
    ring();
    pendings.flush();
    assert.deepEqual(done, ['undone']);
  });

  it('does it when the time is over or the page is left, once', () => {
    const { schedule, ring } = clock();
    const done: boolean[] = [];
    const pendings = createUndoQueue({ schedule });
    pendings.add(
      (leaving) => done.push(leaving),
      () => undefined,
    );
    ring();
    const second = pendings.add(
      (leaving) => done.push(leaving),
      () => undefined,
    );
    pendings.flush();
    second.undo();
    ring();
    assert.deepEqual(done, [false, true]);
    assert.equal(pendings.size, 0);
  });
});

describe('small things', () => {
  it('turns pages inside the list', () => {
    const paging = { offset: 24, limit: 24, total: 50 };
    assert.deepEqual(
      [turnPage(paging, 1), turnPage(paging, 2), turnPage(paging, -1), turnPage(paging, -5)],
      [48, 48, 0, 0],
    );
    assert.deepEqual(shownOf({ ...paging, offset: 48 }), { first: 49, last: 50 });
    assert.deepEqual(shownOf({ offset: 0, limit: 24, total: 0 }), { first: 0, last: 0 });
  });
  it('makes initials of names in any script', () => {
    assert.deepEqual(['Ken Mori', 'ken', '山田 太郎', ' '].map(initialsOf), ['KM', 'K', '山太', '']);
  });
  it('scales and draws charts', () => {
    assert.deepEqual([0, 0.3, 7, 10, 42, 600].map(niceTop), [1, 0.5, 10, 10, 50, 1000]);
    const area = { now: 20, span: 20, gap: 10, top: 10, width: 20, height: 10 };
    const line = (...points: [number, number | undefined][]) =>
      linePath(
        points.map(([at, value]) => ({ at, value })),
        area,
      );
    assert.equal(line([10, 5], [20, 10]), 'M10.0 5.0h0L20.0 0.0');
    assert.equal(line([0, 0], [10, undefined], [20, 10]), 'M0.0 10.0h0M20.0 0.0h0', 'a gap without a value');
    assert.equal(line([0, 0], [20, 10]), 'M0.0 10.0h0M20.0 0.0h0', 'a gap where nothing was heard');
    const minutes = minutesIn(150_000, 120_000);
    assert.deepEqual(
      minutes.map(({ at }) => at),
      [60_000, 120_000],
    );
    assert.deepEqual(
      minutes.map(({ place }) => place),
      [0.25, 0.75],
    );
  });
  it('tells durations by their two largest units', () => {
    const units = { days: 'd', hours: 'h', minutes: 'min', seconds: 's' };
    const texts = [5, 65, 3700, 90_000].map((seconds) => formatDuration(seconds, units));
    assert.deepEqual(texts, ['5 s', '1 min', '1 h 1 min', '1 d 1 h']);
  });
  it('goes back to addresses of this server only', () => {
    assert.equal(safeNext('/people?group=a'), '/people?group=a');
    for (const bad of [
      null,
      '',
      'https://evil',
      '//evil',
      '/\\evil',
      'javascript:1',
      '/signin?next=/signin',
    ]) {
      assert.equal(safeNext(bad), '/', String(bad));
    }
  });
  it('reads a key as people paste it', () => {
    const key = `kao_0123456789_${'a'.repeat(43)}`;
    for (const typed of [
      key,
      ` ${key}\n`,
      key.replace('kao', 'ｋａｏ'),
      `${key.slice(0, 30)}\n${key.slice(30)}`,
    ])
      assert.deepEqual(readKey(typed), { key }, typed);
    assert.deepEqual(readKey('https://kaomon.local/signin#token=abc_12'), { token: 'abc_12' });
    assert.equal(readKey(key.slice(0, -1)), 'cut');
    assert.equal(readKey(`${key}b`), 'cut');
    assert.equal(readKey('secret'), 'other');
  });
  it('finds the token or the key in the address', () => {
    assert.deepEqual(credentialOf('#token=abc_12'), { token: 'abc_12' });
    assert.deepEqual(credentialOf('#key=abc_12'), { key: 'abc_12' });
    for (const none of ['', '#other', '#token=', '#key= ']) assert.equal(credentialOf(none), undefined);
  });
});
