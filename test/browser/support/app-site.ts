import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import sharp from 'sharp';
import type { AppDeps } from '../../../src/app.js';
import type { Config } from '../../../src/settings/config.js';
import type { Gallery } from '../../../src/gallery/types.js';
import type { Sightings } from '../../../src/sightings/open.js';
import { iou } from '../../../src/vision/boxes.js';
import { decodeImage } from '../../../src/vision/image.js';
import type { AnalysedFace } from '../../../src/vision/types.js';
import { type ScriptedVision, testApp, unitVector } from '../../support/app.js';
import { boxOf, drawCrop, type Place, type Portrait } from './portrait.js';

/** Where the faces of the drawn scene lie on a face's own box, parts of it: eyes, nose, corners of the mouth. */
const POINTS = [
  [0.27, 0.47],
  [0.73, 0.47],
  [0.5, 0.64],
  [0.34, 0.82],
  [0.66, 0.82],
] as const;

/** A face that the scripted server "finds". */
export interface Found extends Omit<Place, 'portrait'> {
  /** Squared L2 distance from `unitVector(0)`, which tells faces apart: 0 to 4. */
  distance: number;
  portrait?: Portrait;
  /** How the head is held, degrees. */
  yaw?: number;
  pitch?: number;
}

/** The whole server with real routes and a real gallery, whose vision is told what it sees. */
export interface AppSite {
  /** `http://127.0.0.1:PORT`: the loopback is secure enough for a camera. */
  url: string;
  port: number;
  vision: ScriptedVision;
  gallery: Gallery;
  /** Who came by; undefined without `SIGHTINGS`. */
  sightings: Sightings | undefined;
  /** What the next frames hold. */
  found: Found[];
  /** What an encoded picture holds, where that is not what is before the camera now. */
  foundIn: (bytes: Uint8Array) => Found[] | undefined;
  /** Milliseconds that each frame takes. */
  delay: number;
  stop(): Promise<void>;
}

export interface SiteOptions {
  port?: number;
  settings?: Partial<Config>;
  /** Of the app: another pack. */
  deps?: Partial<AppDeps>;
}

export async function openAppSite(
  t: Pick<TestContext, 'after'>,
  { port = 0, settings = {}, deps = {} }: SiteOptions = {},
): Promise<AppSite> {
  const { app, vision, gallery, sightings } = await testApp(t, settings, deps);
  const crops = new Map<Portrait, Buffer>();
  const site: AppSite = {
    ...{ url: '', port: 0, vision, gallery, sightings, found: [], foundIn: () => undefined, delay: 0 },
    stop: () => app.close(),
  };
  let enrolments = 0;
  vision.analyze = async (bytes, options = {}) => {
    vision.asked.push(options);
    // No two pictures of somebody are quite the same.
    if (options.views) enrolments += 1;
    const away = options.views ? enrolments * 0.01 : 0;
    const { delay } = site;
    const found = site.foundIn(bytes) ?? site.found;
    if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
    if (vision.failure) throw vision.failure;
    const { width, height } = await decodeImage(bytes, { maxPixels: 4_000_000 });
    // A picture that was cut around one face holds that face alone.
    const isCut = Math.abs(width / height - 16 / 9) > 0.1;
    const faces = isCut
      ? [toFace({ ...found[0], ...CUT }, width, height, away)]
      : found.map((one) => toFace(one, width, height, away));
    for (const [i, face] of faces.entries()) {
      // A face of the frame before is followed where it has not gone far.
      const known = options.track?.faces.findIndex(({ box }) => iou(box, face.box) > 0.3) ?? -1;
      if (known >= 0) face.known = known;
      const { portrait } = found[i];
      if ((!options.crops && !options.aligned) || !portrait) continue;
      const crop = crops.get(portrait) ?? (await drawCrop(portrait));
      crops.set(portrait, crop);
      if (options.crops) face.crop = crop;
      if (options.aligned) face.aligned = await sharp(crop).removeAlpha().raw().toBuffer();
    }
    return { width, height, faces, times: { queue: 1, decode: 4, detect: 60, embed: 30 } };
  };
  await app.listen({ port, host: '127.0.0.1' });
  site.port = (app.server.address() as AddressInfo).port;
  site.url = `http://127.0.0.1:${site.port}`;
  return site;
}

/** Where a face lies in a picture that was cut around it. */
const CUT = { x: 0.5, y: 0.5, scale: 1.2 };

function toFace(found: Found, width: number, height: number, away: number): AnalysedFace {
  const box = boxOf(found);
  const { yaw = 2, pitch = -3 } = found;
  const [x, y, w, h] = [box.x * width, box.y * height, box.width * width, box.height * height];
  return {
    box: { x1: x, y1: y, x2: x + w, y2: y + h },
    probability: 0.99,
    landmarks: Float32Array.from(POINTS.flatMap(([px, py]) => [x + px * w, y + py * h])),
    embedding: unitVector(found.distance + away),
    quality: { size: Math.min(w, h), sharpness: 80, brightness: 130, yaw, pitch, roll: 0 },
  };
}

/** Enrols somebody without a picture being looked at. */
export async function enrolByVector(
  { gallery }: Pick<AppSite, 'gallery'>,
  { groupid = 'default', userid, username, distance, pictures = 1, portrait }: NewPerson,
): Promise<void> {
  const crop = portrait && (await drawCrop(portrait));
  for (let i = 0; i < pictures; i++) {
    await gallery.enrol(
      { groupid, userid, username, ...(crop && { crop }) },
      unitVector(distance + i * 0.001),
    );
  }
}

export interface NewPerson {
  groupid?: string;
  userid: string;
  username: string;
  distance: number;
  pictures?: number;
  portrait?: Portrait;
}
