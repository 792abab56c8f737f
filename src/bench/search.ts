import { monitorEventLoopDelay } from 'node:perf_hooks';
import { faissRefusal } from '../gallery/index/faiss-addon.js';
import { createFaissIndex } from '../gallery/index/faiss-index.js';
import { createOnnxIndex } from '../gallery/index/onnx-index.js';
import type { VectorIndex } from '../gallery/index/vector-index.js';
import { type BenchContext, underLoad } from './effort.js';
import { rowOf } from './report.js';
import { createIdentities } from './vectors.js';

const LENGTH = 512;
const FACES = 8;
const AT_ONCE = 4;
/** The ONNX index holds its embeddings twice: a million of length 512 would take 4 GB. */
const ONNX_MOST = 200_000;
const SEED = 5;

/** Fills an index with synthetic people (see createIdentities). @returns probes: other faces of them, and of strangers */
function fill(index: VectorIndex, size: number, probes: number) {
  const made = createIdentities(LENGTH, SEED);
  const known: Float32Array[] = [];
  const every = Math.max(1, Math.floor(size / probes));
  for (let i = 0, person = made.direction(); i < size; i++) {
    if (i % FACES === 0) person = made.direction();
    index.add(`face${i}`, made.faceOf(person));
    if (i % every === 0) known.push(made.faceOf(person));
  }
  return { known, unknown: known.map(() => made.direction()) };
}

async function nearestIds(index: VectorIndex, probes: readonly Float32Array[]): Promise<string[]> {
  const ids: string[] = [];
  for (const probe of probes) ids.push((await index.search(probe, 1)).hits[0].id);
  return ids;
}

const shareEqual = (a: readonly string[], b: readonly string[]) =>
  a.filter((id, i) => id === b[i]).length / a.length;

/** Latency, recall and event loop delay for each kind of index and size. */
export async function benchSearch({ effort, add, note }: BenchContext): Promise<void> {
  const refusal = faissRefusal();
  if (refusal) note(`search: faiss is left out: ${refusal}`);
  note(
    `search: made embeddings, ${FACES} faces a person, two faces of one person 0.53 apart on the median; probes are other faces of people in the gallery. "Uniform" probes are nobody's: the worst case for lists, and unlike faces.`,
  );
  const idle = await loopWhile(() => new Promise((resolve) => setTimeout(resolve, effort.seconds * 1000)));
  note(`search: the event loop's p99 without any search was ${idle.toFixed(1)} ms in this run.`);
  for (const size of effort.sizes) {
    const of = size.toLocaleString('en');
    let truth: { known: string[]; unknown: string[] } | undefined;
    for (const kind of ['flat', 'IVFFlat', 'ONNX'] as const) {
      if (kind !== 'ONNX' && refusal) continue;
      if (kind === 'ONNX' && size > ONNX_MOST) {
        note(`search: the ONNX index is not measured at ${of}: it would take 4 GB.`);
        continue;
      }
      const index =
        kind === 'ONNX'
          ? createOnnxIndex(LENGTH, { providers: ['cpu'], note })
          : createFaissIndex(LENGTH, { listsFrom: kind === 'IVFFlat' ? 2000 : Infinity });
      try {
        const probes = fill(index, size, effort.searches);
        const begun = performance.now();
        await index.settled();
        const built = (performance.now() - begun) / 1000;
        await measure(index, kind, of, probes.known);
        const found = {
          known: await nearestIds(index, probes.known),
          unknown: await nearestIds(index, probes.unknown),
        };
        if (kind === 'flat') truth = found;
        if (kind !== 'IVFFlat' || !truth || index.kind !== 'ivfflat') continue;
        const recall = (measured: string, value: number) =>
          add({
            section: 'search',
            of,
            measure: measured,
            unit: 'share',
            median: value,
            samples: found.known.length,
          });
        recall('IVFFlat, recall at 1', shareEqual(found.known, truth.known));
        recall('IVFFlat, recall at 1, uniform', shareEqual(found.unknown, truth.unknown));
        add({ section: 'search', of, measure: 'IVFFlat, training', unit: 's', median: built, samples: 1 });
      } finally {
        await index.close();
      }
    }
  }

  async function measure(index: VectorIndex, kind: string, of: string, probes: readonly Float32Array[]) {
    const samples: number[] = [];
    for (const probe of probes) {
      const start = performance.now();
      await index.search(probe, 1);
      samples.push(performance.now() - start);
    }
    add(rowOf({ section: 'search', of, measure: kind, unit: 'ms' }, samples));
    let next = 0;
    const ask = () => index.search(probes[next++ % probes.length], 1);
    let load: { samples: number[] } = { samples: [] };
    const loop = await loopWhile(async () => (load = await underLoad(AT_ONCE, effort.seconds, ask)));
    add(rowOf({ section: 'search', of, measure: `${kind}, under load`, unit: 'ms' }, load.samples));
    add({
      section: 'search',
      of,
      measure: `${kind}, event loop under load, p99`,
      unit: 'ms',
      median: loop,
      samples: load.samples.length,
    });
  }
}

/** The 99th percentile of the event loop's delay during `work`, ms; about 1 ms of it is the timer's own resolution. */
async function loopWhile(work: () => Promise<unknown>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await work();
  delay.disable();
  return delay.percentile(99) / 1e6;
}
