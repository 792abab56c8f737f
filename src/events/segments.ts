/**
 * The file log's segments: `<number>.jsonl`, one event a line. A full segment ends with a seal, which names the next;
 * anything after a seal was written too late and does not count (its writer sees the seal before it and writes again,
 * to the next).
 */
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import { namesIn, unlessMissing } from '../platform/files/durable.js';

const NAME = /^(\d{10})\.jsonl$/;
const SEAL = /^\{"seal":(\d+)\}$/;
const NEWLINE = 0x0a;

/** A place in the log: a segment and a byte in it. */
export interface Place {
  segment: number;
  offset: number;
}

export function formatPlace({ segment, offset }: Place): string {
  return `${segment}-${offset}`;
}

export function parsePlace(position: string): Place | undefined {
  const [, segment, offset] = /^(\d+)-(\d+)$/.exec(position) ?? [];
  return segment ? { segment: Number(segment), offset: Number(offset) } : undefined;
}

export function segmentFile(folder: string, segment: number): string {
  return path.join(folder, `${String(segment).padStart(10, '0')}.jsonl`);
}

/** In order; none when the folder does not exist. */
export async function listSegments(folder: string): Promise<number[]> {
  const names = await namesIn(folder);
  return names
    .flatMap((name) => NAME.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

export function sealLine(next: number): string {
  return `\n{"seal":${next}}\n`;
}

/** A whole line of a segment. */
export interface Line {
  /** Its first byte in the segment. */
  start: number;
  /** The byte after its line break. */
  end: number;
  text: string;
  /** Present when the line is a seal: the next segment's number. */
  seal?: number;
}

/** The complete lines from an offset on; an incomplete last line is left for later. */
export async function readLines(handle: FileHandle, offset: number, most = Infinity): Promise<Line[]> {
  const { size } = await handle.stat();
  const length = Math.min(size - offset, most);
  if (length <= 0) return [];
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await handle.read(buffer, 0, length, offset);
  const lines: Line[] = [];
  for (let start = 0; ;) {
    const newline = buffer.subarray(0, bytesRead).indexOf(NEWLINE, start);
    if (newline < 0) return lines;
    const text = buffer.toString('utf8', start, newline);
    const seal = SEAL.exec(text)?.[1];
    const line: Line = { start: offset + start, end: offset + newline + 1, text };
    if (seal !== undefined) line.seal = Number(seal);
    lines.push(line);
    start = newline + 1;
  }
}

/** Opens a segment for reading; undefined when it does not exist. */
export function openSegment(folder: string, segment: number): Promise<FileHandle | undefined> {
  return unlessMissing(open(segmentFile(folder, segment), 'r'));
}

/** Whether a name in the log's folder is a segment's. */
export function isSegment(name: string): boolean {
  return NAME.test(name);
}
