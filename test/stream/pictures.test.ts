import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import sharp from 'sharp';
import type { Match } from '../../src/gallery/types.js';
import type { ServerMessage } from '../../src/stream/protocol.js';
import { loadConfig } from '../../src/settings/config.js';
import type { ReadyPack } from '../../src/models/types.js';
import { createDecision } from '../../src/identity/decision.js';
import { createSearches, UNLIMITED } from '../../src/identity/counted-work.js';
import { createIdentifier } from '../../src/identity/identify.js';
import { createAnnouncer } from '../../src/identity/recognised.js';
import { createStreamSession } from '../../src/stream/session.js';
import { RENEW } from '../../src/stream/tracks.js';
import { type Analyzer, createAnalyzer } from '../../src/vision/analyzer.js';
import type { Analysis, AnalyzeOptions } from '../../src/vision/types.js';
import { benchPack, FACE_PACKS } from '../support/bench-pack.js';
import { portrait } from '../support/photographs.js';

/** Milliseconds between frames. */
const FRAME = 40;
const PEOPLE = ['bea', 'hue'] as const;
/** Side of a portrait, pixels. */
const SIZE = 250;

type FrameMessage = Extract<ServerMessage, { type: 'frame' }>;

/** A 640x360 frame with a portrait at (x, 50). */
async function frameOf(picture: Buffer, x: number): Promise<Buffer> {
  return await sharp({ create: { width: 640, height: 360, channels: 3, background: '#5a6a70' } })
    .composite([{ input: picture, left: x, top: 50 }])
    .jpeg({ quality: 85 })
    .toBuffer();
}

for (const [id, skip] of FACE_PACKS) {
  describe(`tracking faces of pictures with ${id}`, { skip }, () => {
    let analyzer: Analyzer;
    let pack: ReadyPack;
    before(async () => {
      pack = await benchPack(id);
      analyzer = await createAnalyzer({
        ...{ pack, providers: ['cpu'], threads: 1, maxPixels: 1_000_000, minFaceSize: 40 },
      });
    });
    after(() => analyzer.release());

    async function analyze(bytes: Uint8Array, options: AnalyzeOptions = {}): Promise<Analysis> {
      const [result] = await analyzer.analyze([{ bytes, options }]);
      if (result.status === 'rejected') throw result.reason;
      return result.value;
    }

    /** A session over a gallery of the two people, at a clock of the test's own. */
    async function play(quietSearch = 0) {
      const enrolled = await Promise.all(
        PEOPLE.map(async (name) => ({
          name,
          bytes: await frameOf(await portrait(name, { size: SIZE, mirrored: true }), 200),
        })),
      );
      const gallery: { person: Match['person']; vector: Float32Array }[] = [];
      for (const { name, bytes } of enrolled) {
        const [face] = (await analyze(bytes)).faces;
        const person = {
          faceid: `g-${name}`,
          groupid: 'g',
          userid: name,
          username: name,
          metadata: {},
          faces: [],
        };
        gallery.push({ person: person, vector: face.embedding ?? new Float32Array() });
      }
      let now = 0;
      let told: (message: ServerMessage) => void = () => undefined;
      const decision = createDecision({
        pack,
        config: loadConfig({}),
        gallery: { searched: () => gallery.length },
      });
      const current = ({ faceid }: Match['person']) =>
        gallery.find(({ person }) => person.faceid === faceid)?.person;
      const ruledOut = () => undefined;
      const identifier = createIdentifier({
        searches: createSearches(UNLIMITED),
        ...{ vision: { analyze }, gallery: { current, ruledOut }, decision, announcer: createAnnouncer() },
        nearest(embedding) {
          const matches = gallery.map(({ person, vector }) => ({
            ...{ person, face: {} as never },
            distance: vector.reduce((sum, v, i) => sum + (v - embedding[i]) ** 2, 0),
          }));
          return Promise.resolve(matches.sort((a, b) => a.distance - b.distance).slice(0, 1));
        },
      });
      const session = createStreamSession({
        ...{ vision: { analyze }, identifier, decision },
        gallery: { group: () => Promise.resolve(undefined), groups: () => [], current, ruledOut },
        ...{ maxFrameBytes: 1_000_000, minFaceSize: 40, quietSearch, groups: undefined },
        send: (message) => told(message),
        onFault: (error) => assert.fail(String(error)),
        now: () => now,
      });
      /** Shows a portrait at (x, 50) of a frame, or a frame as it is. */
      return async (picture: Buffer, x?: number): Promise<FrameMessage> => {
        now += FRAME;
        const bytes = x === undefined ? picture : await frameOf(picture, x);
        const answer = await new Promise<ServerMessage>((resolve) => {
          told = resolve;
          session.frame(bytes);
        });
        assert.equal(answer.type, 'frame', JSON.stringify(answer));
        return answer;
      };
    }

    it('follows a face that moves, by one number and one name, mostly without a search', async () => {
      const show = await play();
      const picture = await portrait(PEOPLE[0], { size: SIZE });
      let searches = 0;
      for (let i = 0; i < 40; i++) {
        const x = 60 + i * 8;
        const { faces, full } = await show(picture, x);
        searches += Number(full);
        assert.deepEqual(
          faces.map(({ track, userid }) => [track, userid]),
          [[0, PEOPLE[0]]],
          `frame ${i}`,
        );
        // A portrait's face is about its middle, and as wide as half of it.
        const [{ x: left, width }] = faces;
        assert.ok(Math.abs(left + width / 2 - (x + SIZE / 2)) < 25, `frame ${i}: the box goes with the face`);
        assert.ok(width > 60 && width < 160, `frame ${i}: ${width} pixels wide`);
      }
      // The picture's edges move, too: that is something to look at, four times a second at most.
      assert.ok(searches <= 8, `${searches} searches`);
    });

    // A JPEG of one scan is not decoded for that.
    for (const [what, options] of [
      ['JPEG', { quality: 85 }],
      ['progressive JPEG', { quality: 85, progressive: true }],
    ] as const)
      it(`searches a ${what} of nobody once a second, and finds who comes in in the frame that shows them`, async () => {
        const show = await play(1000);
        const noise = { type: 'gaussian', mean: 110, sigma: 5 } as const;
        const wall = () =>
          sharp({ create: { width: 640, height: 360, channels: 3, background: '#000', noise } })
            .jpeg(options)
            .toBuffer();
        const searched: number[] = [];
        for (let i = 0; i < 60; i++) {
          const { full, width, height } = await show(await wall());
          if (full) searched.push(i);
          assert.deepEqual([width, height], [640, 360]);
        }
        assert.deepEqual(searched, [0, 25, 50], 'at 25 frames a second');
        const far = await sharp(await portrait(PEOPLE[0], { size: SIZE }))
          .resize(120)
          .toBuffer();
        const { full, faces } = await show(
          await sharp(await wall())
            .composite([{ input: far, left: 411, top: 97 }])
            .jpeg(options)
            .toBuffer(),
        );
        assert.deepEqual([full, faces.length], [true, 1]);
      });

    it('follows a face that is larger than the frame, as one face whose box stays in the frame', async () => {
      for (const who of ['bea', 'eva', 'hue'] as const) {
        const show = await play();
        const large = await portrait(who, { size: 1000 });
        let seen = 0;
        for (let i = 0; i < 40; i++) {
          // Of a face of about 500 pixels 350 are seen, and the head sways.
          const [x, y] = [Math.sin(i / 5), Math.cos(i / 7)].map((sway) => 325 + Math.round(sway * 8));
          const part = { left: x, top: y, width: 350, height: 350 };
          const frame = await sharp(large).extract(part).resize(480, 480).jpeg({ quality: 90 }).toBuffer();
          const { faces } = await show(frame);
          assert.ok(faces.length <= 1, `frame ${i}, ${who}: ${faces.length} faces`);
          seen += faces.length;
          for (const face of faces) {
            const sides = [face.x, face.y, 480 - face.x - face.width, 480 - face.y - face.height];
            assert.ok(Math.min(...sides) >= 0, `frame ${i}, ${who}: ${JSON.stringify(face)}`);
          }
        }
        assert.ok(seen === 0 || seen >= 35, `${who} was seen in ${seen} of 40 frames`);
      }
    });

    it('notices another face under the same box within the stated bound', async () => {
      const show = await play();
      const [one, other] = await Promise.all(PEOPLE.map((name) => portrait(name, { size: SIZE })));
      for (let i = 0; i < 20; i++) await show(one, 200);
      const seen: (string | null)[] = [];
      for (let i = 0; i <= RENEW.frames; i++) {
        const { faces } = await show(other, 200);
        seen.push(faces.length === 1 ? faces[0].userid : null);
      }
      const noticed = seen.indexOf(PEOPLE[1]);
      assert.ok(noticed >= 0 && noticed <= RENEW.frames, seen.join());
      assert.ok(
        seen.slice(noticed).every((userid) => userid === PEOPLE[1]),
        seen.join(),
      );
    });

    it('tells that a face has gone', async () => {
      const show = await play();
      const picture = await portrait(PEOPLE[0], { size: SIZE });
      for (let i = 0; i < 5; i++) await show(picture, 200);
      const empty = await sharp({ create: { width: SIZE, height: SIZE, channels: 3, background: '#5a6a70' } })
        .png()
        .toBuffer();
      const frames = [];
      for (let i = 0; i < 3; i++) frames.push(await show(empty, 200));
      assert.deepEqual(frames.at(-1)?.faces, []);
    });
  });
}
