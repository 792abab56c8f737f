/** The folders that the settings name, made before anything else looks for them: what cannot be is said in one sentence. */
import path from 'node:path';
import type { Config } from './config.js';
import { makeFolder } from '../platform/files/durable.js';
import { KaomonError } from '../platform/errors.js';

const REASONS: Record<string, string> = {
  ENOENT: 'nothing can be made in that place',
  EACCES: 'this user may not make it',
  EPERM: 'this user may not make it',
  EROFS: 'that disk is read-only',
  ENOSPC: 'that disk is full',
  EEXIST: 'a file has its name',
  ENOTDIR: 'a file has the name of a folder above it',
};

/** What is wrong with a place, for a person, from what the system said of it. */
export function describePlace(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return REASONS[code] ?? message;
}

type Folders = Pick<
  Config,
  'EMBEDDINGS_DIR' | 'MODELS_DIR' | 'CACHE_DIR' | 'KEYS_FILE' | 'AUDIT_FILE' | 'AUTH'
>;

/** @throws KaomonError SETUP that names the setting */
export async function makeFolders(config: Folders): Promise<void> {
  const { EMBEDDINGS_DIR, MODELS_DIR, CACHE_DIR, KEYS_FILE, AUDIT_FILE, AUTH } = config;
  const folders: [setting: string, value: string, folder: string][] = [
    ['EMBEDDINGS_DIR', EMBEDDINGS_DIR, EMBEDDINGS_DIR],
    ['MODELS_DIR', MODELS_DIR, MODELS_DIR],
    ['CACHE_DIR', CACHE_DIR, CACHE_DIR],
    ['AUDIT_FILE', AUDIT_FILE, path.dirname(AUDIT_FILE)],
  ];
  if (AUTH === 'key') folders.push(['KEYS_FILE', KEYS_FILE, path.dirname(KEYS_FILE)]);
  for (const [setting, value, folder] of folders) {
    await makeFolder(folder).catch((cause: unknown) => {
      throw new KaomonError(
        'SETUP',
        `${setting}=${value}: the folder ${folder} cannot be made, because ${describePlace(cause)}. Name another place.`,
        { cause },
      );
    });
  }
}
