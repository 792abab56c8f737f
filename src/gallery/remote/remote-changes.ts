import { KaomonError } from '../../platform/errors.js';
import { profileOf } from '../store/profile.js';
import { checkEmbedding } from '../embedding.js';
import { renameFace } from '../face-name.js';
import type { EmbeddingStore, NewCorrection, NewFace, Profile, Removed } from '../store/store.js';
import { bytesOf } from '../store/vector-bytes.js';
import { templateOf } from '../templates.js';
import type { Face } from '../types.js';
import { type Check, commit, type RemoteRedis, type Word } from './commands.js';
import type { EngineRow } from './engine.js';
import type { Journal } from './journal.js';
import type { RemoteLayout } from './layout.js';
import type { RemotePerson, RemoteReader } from './reader.js';
import { commandsOf, type NextPerson } from './steps.js';
import { templateId } from './template-ids.js';

/** A step is tried so often: whoever changes the same person at the same time makes it fail. */
const ATTEMPTS = 50;

/** Refused: nothing is changed. */
type Decision<T> = Step<T> | { refused: T };

/** What a change makes of people, in their order. */
interface Step<T> {
  /** undefined: not there. */
  next: (NextPerson | undefined)[];
  /** Vectors that are new, and ids of those that go. */
  rows?: EngineRow[];
  gone?: string[];
  /** Commands besides. */
  more?: Word[][];
  /** What must be as it was read, besides the people. */
  read?: Check[];
  /** Also where Redis is at its limit. */
  evenWhenFull?: boolean;
  result: T;
}

export interface RemoteChangesDeps {
  redis: RemoteRedis;
  layout: RemoteLayout;
  reader: RemoteReader;
  journal: Journal;
  /** Keep a template of each person with several faces. */
  templates: boolean;
  /** Numbers in a vector. */
  length: number;
  /** Of faces and templates, wherever they are at the moment. */
  vectorsOf: (ids: readonly string[]) => Promise<Map<string, Float32Array>>;
}

/** Changes people in Redis; each change is one step, which also notes what the engine has to do. */
export function createRemoteChanges(deps: RemoteChangesDeps) {
  const { redis, layout, reader, journal, templates, length, vectorsOf } = deps;

  /** @throws the decision's error; KaomonError STORE_UNAVAILABLE where others change these people all the time */
  async function change<T>(
    faceids: readonly string[],
    decide: (were: (RemotePerson | undefined)[]) => Decision<T> | Promise<Decision<T>>,
  ): Promise<T> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const were = await reader.read(faceids);
      const decision = await decide(were);
      if ('refused' in decision) return decision.refused;
      const { next, rows = [], gone = [], more = [], read = [], evenWhenFull = false, result } = decision;
      const checks = faceids.flatMap((field, i): Check[] => [
        { key: layout.people, field, was: were[i]?.texts.profile ?? null },
        { key: layout.lists, field, was: were[i]?.texts.list ?? null },
      ]);
      const commands = [
        ...journal.erasing(gone),
        ...journal.adding(rows),
        ...faceids.flatMap((faceid, i) => commandsOf(layout, faceid, were[i], next[i])),
        ...more,
      ];
      if (await commit(redis, layout.spare, [...checks, ...read], commands, evenWhenFull)) {
        journal.carry(rows, gone);
        return result;
      }
    }
    throw new KaomonError('STORE_UNAVAILABLE', 'Others are changing the same person: try again.', {
      retryAfter: 1,
    });
  }

  /** The template of these faces as a row; undefined where there is none. */
  async function templateRow(
    faceid: string,
    faces: readonly Face[],
    known: ReadonlyMap<string, Float32Array>,
  ): Promise<EngineRow | undefined> {
    if (!templates || faces.length < 2) return undefined;
    const others = await vectorsOf(faces.map(({ id }) => id).filter((id) => !known.has(id)));
    const vectors = faces.flatMap(({ id }) => known.get(id) ?? others.get(id) ?? []);
    const vector = vectors.length === faces.length ? templateOf(vectors) : undefined;
    return vector && journal.rowOf(templateId(faceid), vector);
  }

  const templateOfPerson = (person: RemotePerson | undefined): string[] =>
    person?.templateId === undefined ? [] : [person.templateId];

  const picturesOf = (faces: readonly NewFace[]): Word[][] =>
    faces.flatMap(({ face, crop }) =>
      crop ? [['HSET', layout.face(face.id), 'picture', Buffer.from(crop)]] : [],
    );

  async function addFaces(faceid: string, added: readonly NewFace[], profile?: Profile): Promise<void> {
    for (const { vector } of added) checkEmbedding(vector, length);
    const vectors = new Map(added.map(({ face, vector }) => [face.id, vector]));
    await change([faceid], async ([was]) => {
      const others = (was?.faces ?? []).filter(({ id }) => !vectors.has(id));
      const faces = [...others, ...added.map(toFace)].sort(byAge);
      const template = await templateRow(faceid, faces, vectors);
      const named = profileOf(profile ?? was ?? { username: '', metadata: {} });
      return {
        next: [{ ...named, faces, templateId: template?.id }],
        rows: [
          ...added.map(({ face, vector }) => journal.rowOf(face.id, vector)),
          ...(template ? [template] : []),
        ],
        gone: templateOfPerson(was),
        more: picturesOf(added),
        result: undefined,
      };
    });
  }

  async function createPerson(
    faceid: string,
    profile: Profile,
    faces: readonly NewFace[] = [],
    corrections: readonly NewCorrection[] = [],
  ): Promise<boolean> {
    const vectors = new Map(faces.map(({ face, vector }) => [face.id, vector]));
    const own = faces.map(toFace).sort(byAge);
    const template = await templateRow(faceid, own, vectors);
    return change<boolean>([faceid], ([was]) => {
      if (was) return { refused: false };
      return {
        next: [{ ...profile, faces: own, templateId: template?.id }],
        rows: [
          ...faces.map(({ face, vector }) => journal.rowOf(face.id, vector)),
          ...(template ? [template] : []),
        ],
        more: [...picturesOf(faces), ...corrections.flatMap((said) => stepsOf(faceid, said))],
        result: true,
      };
    });
  }

  /** What keeps a correction of a new person. */
  function stepsOf(faceid: string, { correction: { id }, vector, crop }: NewCorrection): Word[][] {
    return [
      ['HSET', layout.face(id), 'vector', bytesOf(vector), ...(crop ? ['picture', Buffer.from(crop)] : [])],
      ['SADD', layout.correctionsOf(faceid), id],
      ['SADD', layout.corrected, faceid],
    ];
  }

  /** Gives all faces and corrections of one person to another. */
  async function rename(from: string, to: string, mode: 'move' | 'merge') {
    return change<'done' | 'missing' | 'exists'>([from, to], async ([was, other]) => {
      if (!was || (mode === 'merge' && !other)) return { refused: 'missing' };
      if (mode === 'move' && other) return { refused: 'exists' };
      const taken = new Set(other?.faces.map(({ id }) => id));
      const ids = new Map<string, string>();
      const moved = was.faces.map((face): Face => {
        const id = renameFace(face.id, from, to, taken);
        taken.add(id);
        ids.set(face.id, id);
        return { ...face, id, faceid: to };
      });
      const old = await vectorsOf(was.faces.map(({ id }) => id));
      const vectors = new Map([...old].map(([id, vector]) => [ids.get(id) ?? id, vector]));
      const faces = [...(other?.faces ?? []), ...moved].sort(byAge);
      const template = await templateRow(to, faces, vectors);
      const pictures = was.faces.filter(({ hasPicture }) => hasPicture);
      const renamed = [...vectors].map(([id, vector]) => journal.rowOf(id, vector));
      const corrections = await correctionsMoved(from, to);
      return {
        next: [undefined, { ...profileOf(other ?? was), faces, templateId: template?.id }],
        rows: [...renamed, ...(template ? [template] : [])],
        gone: [...was.faces.map(({ id }) => id), ...templateOfPerson(was), ...templateOfPerson(other)],
        more: [
          ...pictures.map(({ id }): Word[] => ['RENAME', layout.face(id), layout.face(ids.get(id) ?? id)]),
          ...corrections.more,
        ],
        read: corrections.read,
        result: 'done',
      };
    });
  }

  /** Of those that were read: where somebody says one more or takes one back before the step, it is not made. */
  async function correctionsMoved(from: string, to: string): Promise<{ more: Word[][]; read: Check[] }> {
    const [source, target] = [layout.correctionsOf(from), layout.correctionsOf(to)];
    const [ids, others] = [await redis.smembers(source), await redis.smembers(target)];
    const taken = new Set(others);
    const moves = ids.flatMap((id): Word[][] => {
      let renamed = `${to}${id.slice(from.length)}`;
      while (taken.has(renamed)) renamed += 'x';
      taken.add(renamed);
      return [
        ['RENAME', layout.face(id), layout.face(renamed)],
        ['SADD', target, renamed],
        ['SADD', layout.corrected, to],
      ];
    });
    return {
      more: [...moves, ['DEL', source], ['SREM', layout.corrected, from]],
      read: [
        { key: source, members: ids },
        { key: target, members: others },
      ],
    };
  }

  /** What was said of somebody, after they went: between reading it and the step somebody may have said more. */
  async function purgeCorrections(faceid: string): Promise<void> {
    const left = await redis.smembers(layout.correctionsOf(faceid));
    if (left.length > 0) await redis.del(layout.correctionsOf(faceid), ...left.map((id) => layout.face(id)));
  }

  return {
    addFaces,
    createPerson,
    rename,

    savePerson(faceid: string, profile: Profile): Promise<boolean> {
      return change<boolean>([faceid], ([was]) => {
        if (!was) return { refused: false };
        const { faces, templateId: template } = was;
        return { next: [{ ...profileOf(profile), faces, templateId: template }], result: true };
      });
    },

    async removePerson(faceid: string): Promise<Removed | undefined> {
      const removed = await change<Removed | undefined>([faceid], async ([was]) => {
        if (!was) return { refused: undefined };
        const corrections = await redis.smembers(layout.correctionsOf(faceid));
        const shown = await Promise.all(corrections.map((id) => redis.hexists(layout.face(id), 'picture')));
        const pictures = was.faces.filter(({ hasPicture }) => hasPicture).map(({ id }) => id);
        return {
          next: [undefined],
          gone: idsOf(was),
          more: [
            ...[...pictures, ...corrections].map((id): Word[] => ['DEL', layout.face(id)]),
            ['DEL', layout.correctionsOf(faceid)],
            ['SREM', layout.corrected, faceid],
          ],
          evenWhenFull: true,
          result: {
            faces: was.faces.length,
            pictures: pictures.length + shown.filter(Boolean).length,
            corrections: corrections.length,
          },
        };
      });
      if (removed) await purgeCorrections(faceid);
      return removed;
    },

    removeFace({ faceid, id }: Face): Promise<boolean> {
      return change<boolean>([faceid], async ([was]) => {
        const face = was?.faces.find((one) => one.id === id);
        if (!was || !face) return { refused: false };
        const faces = was.faces.filter((one) => one !== face);
        // Without one, rather than not at all, where Milvus is away: deleting must work.
        const template = await templateRow(faceid, faces, new Map()).catch(() => undefined);
        return {
          next: [{ ...was, faces, templateId: template?.id }],
          rows: template ? [template] : [],
          gone: [id, ...templateOfPerson(was)],
          more: face.hasPicture ? [['DEL', layout.face(id)]] : [],
          evenWhenFull: true,
          result: true,
        };
      });
    },
  } satisfies Partial<EmbeddingStore> & Record<string, unknown>;
}

const toFace = ({ face, crop }: NewFace): Face => ({ ...face, hasPicture: crop !== undefined });

const byAge = (a: Face, b: Face): number => (a.enrolledAt + a.id < b.enrolledAt + b.id ? -1 : 1);

/** Of all of a person's vectors. */
export const idsOf = ({ faces, templateId: template }: RemotePerson): string[] => [
  ...faces.map(({ id }) => id),
  ...(template === undefined ? [] : [template]),
];
