/** Makes the folders that the settings name before anything needs them, and says in one sentence which cannot be made. */
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

/** What is wrong with a place, for a person, from the system's error. */
function describePlace(error: unknown): string {
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
  const files: Record<string, string> = AUTH === 'key' ? { AUDIT_FILE, KEYS_FILE } : { AUDIT_FILE };
  for (const [setting, value] of Object.entries({ EMBEDDINGS_DIR, MODELS_DIR, CACHE_DIR, ...files })) {
    const folder = setting in files ? path.dirname(value) : value;
    await makeFolder(folder).catch((cause: unknown) => {
      throw new KaomonError(
        'SETUP',
        `${setting}=${value}: the folder ${folder} cannot be made, because ${describePlace(cause)}. Name another place.`,
        { cause },
      );
    });
  }
}
