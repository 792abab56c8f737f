import type { FaceQuality, Sighting } from '../types.js';

/** The columns of a {@link SightingRow}, of the table `sighting` as `s`. */
export const COLUMNS =
  's.id, s.deviceid, s.first, s.last, s.frames, s.fits, s.faceid, s.distance, s.odds, s.odds_at_most, s.size, s.sharpness, ' +
  's.yaw, s.pitch, s.roll, s.unknown, s.has_picture, s.is_settled, s.is_open';

export interface SightingRow extends FaceQuality {
  id: number;
  deviceid: string;
  first: number;
  last: number;
  frames: number;
  fits: number;
  faceid: string | null;
  distance: number | null;
  odds: number | null;
  odds_at_most: number;
  unknown: string | null;
  has_picture: number;
  is_settled: number;
  is_open: number;
}

export function toSighting(row: SightingRow): Sighting {
  const { id, deviceid, first, last, frames, fits, faceid, distance, odds, unknown } = row;
  const { size, sharpness, yaw, pitch, roll } = row;
  return {
    ...{ id, deviceid, first, last, frames, fits, faceid, distance, odds, unknown },
    oddsAtMost: row.odds_at_most === 1,
    quality: { size, sharpness, yaw, pitch, roll },
    hasPicture: row.has_picture === 1,
    isSettled: row.is_settled === 1,
    isOpen: row.is_open === 1,
  };
}

/** A vector as it is stored. */
export const toBlob = ({ buffer, byteOffset, byteLength }: Float32Array) =>
  new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);

/** @param blob over a buffer of its own, as the database gives it */
export const toVector = (blob: Uint8Array) =>
  new Float32Array(blob.buffer as ArrayBuffer, blob.byteOffset, blob.byteLength / 4);
