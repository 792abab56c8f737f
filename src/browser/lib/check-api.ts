import type { Tally } from '../logic/outcome.js';
import type { ThresholdMeaning } from '../logic/odds.js';
import { call } from './api.js';
import type { Person } from './people-api.js';

export interface CheckState {
  state: 'none' | 'running' | 'done' | 'cancelled' | 'failed';
  /** 0 to 1. */
  progress: number;
  finishedAt?: string;
}

export interface Picture {
  face: string;
  thumbnail: string | null;
}

/** A picture beside those that it should be like. */
export interface Odd {
  picture: Picture;
  nearest: Picture & { distance: number };
  /** Somebody else who is nearer. */
  other: (Picture & { person: Person; distance: number }) | null;
}

export interface Disagreement {
  person: Person;
  undecided: boolean;
  pictures: Odd[];
}

export interface Pair {
  people: [Person, Person];
  pictures: [Picture, Picture];
  distance: number;
  odds: number | null;
  oddsAtMost: boolean;
}

export interface Weak extends Odd {
  person: Person;
  reason: 'nearer-to-another' | 'far-from-own';
}

interface List<T> {
  total: number;
  found: T[];
}

export interface Findings extends CheckState {
  pictures: number;
  disagreeing: List<Disagreement>;
  pairs: List<Pair>;
  weak: List<Weak>;
  withoutPictures: List<Person>;
  /** null: this key may not know. */
  damaged: number | null;
}

export interface ThresholdAudit {
  thresholds: ThresholdMeaning;
  chosen: number | null;
  unchosen: number;
  tally: Tally | null;
}

const GALLERY = '/api/v1/audit/gallery';

/** @param offset findings of each kind to pass over */
export const readFindings = (limit: number, offset = 0): Promise<Findings> =>
  call<Findings>('GET', `${GALLERY}?limit=${limit}&offset=${offset}`);

export const startCheck = (): Promise<CheckState> => call<CheckState>('POST', GALLERY);
export const stopCheck = (): Promise<unknown> => call('DELETE', GALLERY);

export const readThreshold = (): Promise<ThresholdAudit> =>
  call<ThresholdAudit>('GET', '/api/v1/audit/threshold');

/** @param identical null: none, so that it follows from the gallery again @returns the one before */
export async function chooseThreshold(identical: number | null): Promise<number | null> {
  const { before } = await (identical === null
    ? call<{ before: number | null }>('DELETE', '/api/v1/threshold')
    : call<{ before: number | null }>('PUT', '/api/v1/threshold', { json: { identical } }));
  return before;
}

/** Says that an enrolled picture of somebody is not this person. @returns the correction's ID, to take it back */
export async function sayNot(faceid: string, face: string, leaving: boolean): Promise<string> {
  const { id } = await call<{ id: string }>('POST', '/api/v1/corrections', {
    json: { faceid, face },
    keepalive: leaving,
  });
  return id;
}

/** Gives a picture to somebody else. */
export async function movePicture(from: string, id: string, to: string, leaving: boolean): Promise<void> {
  const path = `/api/v1/people/${encodeURIComponent(from)}/faces/${encodeURIComponent(id)}/move`;
  await call('POST', path, { json: { to }, keepalive: leaving });
}
