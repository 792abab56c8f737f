import type { Box, Detection, Landmarks, Picture, TurnedFace, TurnedSquare } from './types.js';
import { warpPicture } from './warp.js';

const RADIANS = Math.PI / 180;
/** The largest side of a square that a face is cut from, pixels. */
const LARGEST_SQUARE = 640;

/** Slope of the line between the eyes, degrees clockwise, -180 to 180. */
export function rollOf([leftX, leftY, rightX, rightY]: Landmarks): number {
  return Math.atan2(rightY - leftY, rightX - leftX) / RADIANS;
}

/** @param times the square's side divided by the box's longer one @param pixels the most pixels of that side in it */
export function squareAround(box: Box, degrees: number, times: number, pixels: number): TurnedSquare {
  const longer = Math.max(box.x2 - box.x1, box.y2 - box.y1, 1);
  const scale = Math.max(1, longer / pixels);
  const side = Math.max(1, Math.round((longer * times) / scale));
  const a = Math.cos(degrees * RADIANS) * scale;
  const b = Math.sin(degrees * RADIANS) * scale;
  const [x, y] = [(box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2];
  return { degrees, side, toPicture: { a, b, x: x - ((a - b) * side) / 2, y: y - ((a + b) * side) / 2 } };
}

/** Draws a turned square of a picture; black outside it. @param bytes `side * side * 3` at least; overwritten */
export function drawSquare(picture: Picture, { side, toPicture }: TurnedSquare, bytes: Uint8Array): Picture {
  const data = bytes.subarray(0, side * side * 3);
  warpPicture(picture, toPicture, side, data);
  return { data, width: side, height: side };
}

/** Maps a face of the square to the picture. Its box stays upright: only its middle and size change. */
export function outOfSquare({ toPicture: { a, b, x, y } }: TurnedSquare, face: Detection): Detection {
  return move(face, a, b, (px, py) => [a * px - b * py + x, b * px + a * py + y]);
}

/** Maps a face of the picture to the square. */
export function intoSquare({ toPicture }: TurnedSquare, face: Detection): Detection {
  const { x, y } = toPicture;
  const length = toPicture.a ** 2 + toPicture.b ** 2;
  const [a, b] = [toPicture.a / length, -toPicture.b / length];
  return move(face, a, b, (px, py) => [a * (px - x) - b * (py - y), b * (px - x) + a * (py - y)]);
}

type Place = (x: number, y: number) => [number, number];

function move(face: Detection, a: number, b: number, place: Place): Detection {
  const { x1, y1, x2, y2 } = face.box;
  const [x, y] = place((x1 + x2) / 2, (y1 + y2) / 2);
  const half = Math.hypot(a, b) / 2;
  // A face that lies on its side swaps width and height.
  const [wide, high] = Math.abs(b) > Math.abs(a) ? [y2 - y1, x2 - x1] : [x2 - x1, y2 - y1];
  const box = { x1: x - wide * half, y1: y - high * half, x2: x + wide * half, y2: y + high * half };
  return { ...face, box, ...movePoints(face, place) };
}

function movePoints({ landmarks, landmarks68 }: Detection, place: Place) {
  const points = (from: Float32Array) => {
    const to = new Float32Array(from.length);
    for (let i = 0; i < from.length; i += 2) [to[i], to[i + 1]] = place(from[i], from[i + 1]);
    return to;
  };
  return { landmarks: landmarks && points(landmarks), landmarks68: landmarks68 && points(landmarks68) };
}

/** Upright crops, which must equal the reference's, are only turned for a face that is tilted by more, degrees. */
const LYING = 45;

/**
 * For crops that are cut upright: draws the square in which a turned face is upright, at the picture's resolution.
 * @returns the given picture and face when the face is tilted by at most 45 degrees
 */
export function asRead(picture: Picture, face: Detection): { picture: Picture; face: Detection } {
  const { turned } = face;
  const isLying = turned && Math.abs(turned.square.degrees) > LYING;
  return isLying ? readIn(picture, turned) : { picture, face };
}

function readIn(picture: Picture, { square, face }: TurnedFace): { picture: Picture; face: Detection } {
  const { a, b, x, y } = square.toPicture;
  const finer = Math.max(1, Math.min(Math.hypot(a, b), LARGEST_SQUARE / square.side));
  const side = Math.round(square.side * finer);
  const fine = { degrees: square.degrees, side, toPicture: { a: a / finer, b: b / finer, x, y } };
  const { x1, y1, x2, y2 } = face.box;
  return {
    picture: drawSquare(picture, fine, new Uint8Array(side * side * 3)),
    face: {
      ...face,
      box: { x1: x1 * finer, y1: y1 * finer, x2: x2 * finer, y2: y2 * finer },
      ...movePoints(face, (px, py) => [px * finer, py * finer]),
    },
  };
}
