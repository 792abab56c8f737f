import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import {
  cut,
  partAround,
  photograph,
  PHOTOGRAPH_WIDTH,
  type Seat,
  SEATS,
} from '../../src/bench/photographs.js';

/**
 * Real faces wherever the project is installed: six photographs come with face-api, with 22 faces. The names are ours.
 * A portrait that was changed a little (turned, mirrored, darker) stands for another picture of somebody.
 */

/** Those whom every embedder here tells from everybody else in the photographs. */
const SEAT_OF = { ann: 0, bea: 6, cho: 11, dot: 14, eva: 17, fay: 18, gia: 19, hue: 21 } as const;
export type Known = keyof typeof SEAT_OF;
export const KNOWN = Object.keys(SEAT_OF) as Known[];

/** The numbers of the photographs. */
export const PHOTOGRAPHS = [1, 2, 3, 4, 5, 6];

/** How a portrait is changed. */
export interface View {
  /** Degrees to the right. */
  turn?: number;
  mirrored?: boolean;
  /** 1: as it is. */
  light?: number;
  /** Pixels each way. */
  size?: number;
}

/** The views of somebody, in the order in which they are enrolled or probed. */
export const VIEWS: readonly View[] = [{}, { mirrored: true }, { turn: 7 }, { light: 0.8, size: 220 }];

/** A square picture with one face in its middle, about half as high as it. */
export async function portrait(who: Known | Seat, view: View = {}): Promise<Buffer> {
  const { turn = 0, mirrored = false, light = 1, size = 300 } = view;
  const seat = typeof who === 'string' ? SEATS[SEAT_OF[who]] : who;
  const upright = cut(seat.photograph, partAround(seat, 1.9))
    .resize(size, size)
    .modulate({ brightness: light });
  const picture = sharp(await (mirrored ? upright.flop() : upright).png().toBuffer());
  return await picture.rotate(turn, { background: '#6a7078' }).jpeg({ quality: 95 }).toBuffer();
}

/** Writes portraits of somebody as `FOLDER/1.jpg`, `2.jpg`, ... @returns their files, in the order of the views */
export async function writePortraits(
  folder: string,
  who: Known | Seat,
  views: readonly View[] = VIEWS,
): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  return await Promise.all(
    views.map(async (view, i) => {
      const file = path.join(folder, `${i + 1}.jpg`);
      await writeFile(file, await portrait(who, view));
      return file;
    }),
  );
}

const SCENE_WIDTH = 960;

/** A whole photograph in the size of a camera's frame, as a JPEG. */
export async function scene(number: number): Promise<Buffer> {
  return await sharp(photograph(number)).resize(SCENE_WIDTH).jpeg({ quality: 90 }).toBuffer();
}

/** A box in a {@link scene}, pixels. */
interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Who sits where a box of a scene is; `stranger`: somebody who is not among {@link KNOWN}; undefined: nobody. */
export function whoIsAt(number: number, { x, y, width, height }: Box): Known | 'stranger' | undefined {
  const scale = SCENE_WIDTH / PHOTOGRAPH_WIDTH;
  const seat = SEATS.findIndex((candidate) => {
    const middle = [candidate.x + candidate.width / 2, candidate.y + candidate.height / 2];
    const [left, top] = middle.map((place) => place * scale);
    return candidate.photograph === number && left >= x && left < x + width && top >= y && top < y + height;
  });
  return seat < 0 ? undefined : (KNOWN.find((name) => SEAT_OF[name] === seat) ?? 'stranger');
}

/** The known ones in a photograph. */
export const knownIn = (number: number) => KNOWN.filter((name) => SEATS[SEAT_OF[name]].photograph === number);

/** Those in the photographs who are not among {@link KNOWN}. */
export const STRANGERS: readonly Seat[] = SEATS.filter((_, i) => !Object.values<number>(SEAT_OF).includes(i));
