import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { ZipFile } from 'yazl';
import { KaomonError } from '../../platform/errors.js';
import { encodeNpy } from '../store/npy.js';
import type { Gallery, Person } from '../types.js';
import { FORMAT, FORMAT_VERSION, GROUPS, MANIFEST, type Manifest, sha256 } from './manifest.js';

export interface ExportDeps {
  gallery: Pick<Gallery, 'groups' | 'everyone' | 'vectors' | 'picture'>;
  /** Whose vectors these are, and how long they are. */
  pack: { id: string; length: number };
}

/**
 * Writes the gallery as a zip (see manifest.ts), a person at a time, no faster than it is read. People who are added or
 * deleted meanwhile are left out.
 * @param groups whose people to export; undefined: all
 * @returns a stream that the caller must read to its end or destroy
 */
export function exportGallery({ gallery, pack }: ExportDeps, groups?: ReadonlySet<string>): Readable {
  const zip = new ZipFile();
  const out = zip.outputStream as unknown as Readable & { writableNeedDrain: boolean };
  const entries: Manifest['entries'] = {};
  const mtime = new Date();

  async function add(entry: string, bytes: Buffer, compress = false): Promise<void> {
    if (out.destroyed) throw new Error('The export is no longer being read.');
    entries[entry] = sha256(bytes);
    zip.addBuffer(bytes, entry, { compress, mtime });
    if (out.writableNeedDrain) await Promise.race([once(out, 'drain'), once(out, 'close')]);
  }
  const addJson = (entry: string, value: unknown) =>
    add(entry, Buffer.from(`${JSON.stringify(value, null, 2)}\n`), true);

  async function addPerson({ faceid, groupid, userid, username, metadata }: Person): Promise<void> {
    const faces = await gallery.vectors(faceid);
    await addJson(`people/${faceid}/person.json`, { groupid, userid, username, metadata });
    for (const { face, vector } of faces) {
      await add(`people/${faceid}/${face.id}.npy`, encodeNpy(vector));
      const picture = face.hasPicture ? await gallery.picture(faceid, face.id) : undefined;
      if (picture) await add(`people/${faceid}/${face.id}.png`, Buffer.from(picture));
    }
  }

  async function write(): Promise<void> {
    const wanted = ({ groupid }: { groupid: string }) => !groups || groups.has(groupid);
    await addJson(GROUPS, gallery.groups().filter(wanted));
    for await (const person of gallery.everyone({ groups })) {
      try {
        await addPerson(person);
      } catch (error) {
        if (!isGone(error)) throw error;
      }
    }
    const { id, length } = pack;
    const manifest: Manifest = {
      format: FORMAT,
      version: FORMAT_VERSION,
      pack: id,
      length,
      createdAt: mtime.toISOString(),
      entries: { ...entries },
    };
    await addJson(MANIFEST, manifest);
    zip.end();
  }

  write().catch((error: unknown) => {
    if (!out.destroyed) out.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  return out;
}

function isGone(error: unknown): boolean {
  return error instanceof KaomonError && ['PERSON_UNKNOWN', 'FACE_UNKNOWN'].includes(error.code);
}
