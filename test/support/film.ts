import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { composeFrame } from '../../src/bench/frames.js';
import type { SightingAnswer } from '../../src/http/v1/sighting-schemas.js';
import { form } from './form.js';
import { type Answer, startServer } from './server.js';
import { shared } from './shared.js';
import { openStream, type StreamClient } from './stream-client.js';
import { until } from './until.js';

/** Where the middle of somebody is in a frame of 960 x 540, or that nobody is in it. */
export type Place = { left: number; top: number } | undefined;
/** Somebody of the reference data, with all pictures. */
export type Somebody = [name: string, pictures: Buffer[]];

/** The first people of a folder of the reference data. @param least pictures that each must have */
export async function peopleOf(folder: string, most: number, least = 1): Promise<Somebody[]> {
  const all: Somebody[] = [];
  for (const name of (await readdir(shared('images', folder))).sort()) {
    const files = (await readdir(shared('images', folder, name))).sort();
    if (files.length < least || all.length >= most) continue;
    all.push([name, await Promise.all(files.map((file) => readFile(shared('images', folder, name, file))))]);
  }
  return all;
}

/**
 * A server that keeps who came by, and cameras that film people of the reference data for it.
 * @param env settings over these
 */
export async function openFilm(folder: string, env: Record<string, string> = {}) {
  const settings = {
    ...{ MODEL_PACK: 'faceapi', SIGHTINGS: 'true', KEEP_SIGHTINGS: 'true', VISIT_GAP: '6' },
    ...{ EMBEDDINGS_DIR: path.join(folder, 'gallery'), CACHE_DIR: path.join(folder, 'cache') },
    ...{ DOUBLE_REGISTRATION_SECONDS: '0', ...env },
  };
  const background = await composeFrame('no face');
  const film = { server: await startServer(settings), settings };
  let shots = 0;

  /** A frame with these people, a little larger or smaller, brighter or darker each time. */
  async function frame(...seen: readonly { picture: Buffer; at: Place }[]): Promise<Buffer> {
    const layers = [];
    for (const { picture, at } of seen) {
      if (!at) continue;
      shots += 1;
      const width = 240 + (shots % 5) * 4;
      const brightness = 0.9 + (shots % 7) / 30;
      const input = await sharp(picture).resize(width).modulate({ brightness }).toBuffer();
      layers.push({ input, left: at.left, top: at.top });
    }
    return await sharp(background).composite(layers).jpeg({ quality: 90 }).toBuffer();
  }

  async function connect(deviceid: string): Promise<StreamClient> {
    const { server } = film;
    const client = await openStream(`wss://localhost:${server.port}/api/v1/stream`, { agent: server.agent });
    client.options({ deviceid });
    return client;
  }

  /** Shows a camera frame after frame, no faster than a camera does. @throws when one is refused */
  async function show(client: StreamClient, frames: readonly Buffer[]): Promise<void> {
    for (const one of frames) {
      const [answer] = await Promise.all([client.ask(one), sleep(FRAME_EVERY)]);
      if (answer.type !== 'frame') throw new Error(JSON.stringify(answer));
    }
  }

  async function post(url: string, body: object): Promise<Answer> {
    const headers = { 'content-type': 'application/json' };
    return await film.server.post(url, { headers, payload: Buffer.from(JSON.stringify(body)) });
  }

  async function listed(query = ''): Promise<SightingAnswer[]> {
    const { body } = await film.server.get(`/api/v1/sightings?limit=200${query}`);
    return (body as { sightings: SightingAnswer[] }).sightings;
  }

  return Object.assign(film, {
    frame,
    connect,
    show,
    post,
    listed,

    /** Somebody walks past: every other step is too long to be followed, and in one frame they are not seen. */
    async walk(
      client: StreamClient,
      picture: Buffer,
      places: readonly (number | undefined)[] = WALK,
    ): Promise<void> {
      for (const at of places) {
        const place = at === undefined ? undefined : { left: 60 + at, top: 120 + (at % 11) };
        await show(client, [await frame({ picture, at: place })]);
      }
    },

    /** Enrols somebody by pictures; those that are not good enough are left out. @throws when all are */
    async enrol(userid: string, pictures: readonly Buffer[]): Promise<void> {
      const answers: Answer[] = [];
      for (const picture of pictures) {
        const image = await frame({ picture, at: { left: 260, top: 120 } });
        const fields = await form(
          ['groupid', 'default'],
          ['userid', userid],
          ['force', 'true'],
          ['image', image],
        );
        answers.push(await film.server.post('/api/face_register', fields));
      }
      if (answers.every(({ status }) => status !== 200)) throw new Error(JSON.stringify(answers));
    },

    /** Waits until nobody is in sight any more. */
    allOver: () => until(async () => (await listed()).every(({ isOpen }) => !isOpen)),

    /** Ends the server and starts it again. @param more settings from now on */
    async restart(signal: NodeJS.Signals, more: Record<string, string> = {}): Promise<void> {
      await film.server.end(signal);
      film.server = await startServer({ ...settings, ...more });
    },
  });
}

/** Of a camera that sends twelve frames a second, milliseconds: people cannot change places faster than one sees them. */
const FRAME_EVERY = 80;
const WALK = [0, 60, undefined, 170, 230, 290];

/** See {@link openFilm}. */
export type Film = Awaited<ReturnType<typeof openFilm>>;
