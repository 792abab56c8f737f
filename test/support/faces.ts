import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { form } from './form.js';
import type { Answer, TestServer } from './server.js';

/** A person's pictures, absolute paths in order. */
export interface Pictures {
  name: string;
  files: string[];
}

/** The folders of people below a folder. */
export async function peopleIn(folder: string): Promise<Pictures[]> {
  const entries = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const people = entries.map(async ({ name }) => {
    const files = await readdir(path.join(folder, name));
    return { name, files: files.sort().map((file) => path.join(folder, name, file)) };
  });
  return (await Promise.all(people)).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A folder's name as an ID: without the hyphens that IDs may not hold. */
export const idOf = (name: string) => name.replaceAll('-', '_');

/** One face of `POST /api/face_recognizer`. */
export interface FoundFace {
  faceid: string;
  userid: string | null;
  distance: number | null;
  x: number;
  y: number;
  width: number;
  height: number;
}

export async function register(server: TestServer, userid: string, file: string): Promise<Answer> {
  const fields = await form(['groupid', 'default'], ['userid', userid], ['image', await readFile(file)]);
  return await server.post('/api/face_register', fields);
}

/** The faces of a picture, largest first. */
export async function recognise(server: TestServer, file: string): Promise<FoundFace[]> {
  const answer = await server.post('/api/face_recognizer', await form(['image', await readFile(file)]));
  if (answer.status !== 200) throw new Error(`${file}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body as FoundFace[];
}

/** Works through a list two at a time: as many as there are vision threads. */
export async function inPairs<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  const worker = async () => {
    for (const [i, item] of queue) results[i] = await work(item);
  };
  await Promise.all([worker(), worker()]);
  return results;
}
