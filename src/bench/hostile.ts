import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { constants, setPriority } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { request, WebSocket } from 'undici';
import { createKeys } from '../access/keys.js';
import type { Config } from '../settings/config.js';
import { FULL } from './effort.js';
import { loadFrames, resizeFrame } from './frames.js';
import type { HostileName, HostileOrder, HostileReport } from './hostile-order.js';
import { benchPack } from './pack.js';
import { quantile } from './report.js';
import { makeGallery } from './made-gallery.js';
import { startServer } from './server.js';

const CLIENTS = fileURLToPath(new URL('./hostile-clients.js', import.meta.url));
/** Between two frames of the good client's camera, milliseconds. */
const FRAME_EVERY = 200;
/** Between two pictures that it posts, milliseconds. */
const PICTURE_EVERY = 1000;
/** People enrolled: as many as make a careless search dear. */
const PEOPLE = 20_000;
/** How often the memory is measured. */
const MARKS = 10;
/**
 * The limit for the good client: the 99th percentile under attack may be this many times the 95th percentile in quiet. Not
 * the median, because a frame whose faces are only tracked costs a fifth of one that is searched; not the slowest, because
 * on a machine that is also busy with something else one answer in thousands says nothing about the server.
 */
const MAX_SLOWDOWN = 3;
const QUIET = 0.95;
const BUSY = 0.99;
/** How much larger the resident size may be in the second half than in the first: a fraction, and MB. */
const GROWTH = { share: 0.1, mb: 40 };

interface HostileOptions {
  config: Pick<Config, 'MODELS_DIR'>;
  /** Folder for the files that are made. */
  folder: string;
  /** How long the hostile clients attack, seconds; before that it is quiet for a tenth of it, at least ten seconds. */
  seconds: number;
  /** The hostile clients that take part. */
  who: readonly HostileName[];
  say: (line: string) => void;
}

/** Latencies of one kind of answer, milliseconds. */
class Samples {
  readonly all: number[] = [];
  add = (ms: number) => this.all.push(ms);
  at(share: number): number {
    return this.all.length > 0 ? quantile(this.all, share) : NaN;
  }
  describe(): string {
    const at = (share: number) => `${this.at(share).toFixed(0)} ms`;
    return `median ${at(0.5)}, p95 ${at(0.95)}, p99 ${at(0.99)}, slowest ${at(1)} of ${this.all.length}`;
  }
}

interface GoodClient {
  frames: Samples;
  pictures: Samples;
  /** What went wrong with an answer, by status or code. */
  faults: Record<string, number>;
  end(): Promise<void>;
}

/** A camera on a stream, and one posted picture a second. */
async function startGood(origin: string, key: string, frame: Uint8Array<ArrayBuffer>): Promise<GoodClient> {
  const headers = { 'x-api-key': key };
  const client: GoodClient = {
    frames: new Samples(),
    pictures: new Samples(),
    faults: {},
    async end() {
      isOver = true;
      clearInterval(camera);
      socket.close();
      await posting;
    },
  };
  let isOver = false as boolean;
  const fault = (what: string) => (client.faults[what] = (client.faults[what] ?? 0) + 1);
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/api/v1/stream`, { headers });
  const sentAt: number[] = [];
  socket.addEventListener('message', ({ data }) => {
    const told = JSON.parse(String(data)) as { type: string; frame?: number; code?: string };
    if (told.frame === undefined) return;
    client.frames.add(performance.now() - sentAt[told.frame]);
    if (told.type !== 'frame') fault(told.code ?? told.type);
  });
  socket.addEventListener('close', () => {
    if (!isOver) fault('stream ended');
  });
  await once(socket, 'open');
  const camera = setInterval(() => {
    sentAt.push(performance.now());
    socket.send(frame);
  }, FRAME_EVERY);
  const posting = (async () => {
    while (!isOver) {
      const begun = performance.now();
      const answer = await request(`${origin}/api/v1/recognise`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'image/jpeg' },
        body: frame.slice(),
      }).catch(() => undefined);
      await answer?.body.dump();
      client.pictures.add(performance.now() - begun);
      if (answer?.statusCode !== 200) fault(String(answer?.statusCode ?? 'no answer'));
      await sleep(Math.max(0, PICTURE_EVERY - (performance.now() - begun)));
    }
  })();
  return client;
}

/**
 * Starts a server on the loopback interface, and lets the hostile clients attack it beside a good client.
 * @returns the limits that were exceeded
 */
export async function soakHostile({ config, folder, seconds, who, say }: HostileOptions): Promise<string[]> {
  const context = { effort: FULL, folder, add: () => undefined, note: say };
  const pack = await benchPack(config, context);
  const { frames, source } = await loadFrames();
  say(source);
  const one = frames.find(({ name }) => name === '1 face') ?? frames[0];
  const frame = Uint8Array.from(await resizeFrame(one, 640, 360));
  const [keysFile, audit] = ['keys.json', 'audit.jsonl'].map((name) => path.join(folder, `hostile-${name}`));
  const keys = createKeys({ file: keysFile });
  const stamp = Date.now();
  const key = async (name: string, role: 'enrol' | 'admin') =>
    (await keys.add({ name: `${name} ${stamp}`, role })).key;
  const good = await key('good', 'enrol');
  const hostile = [
    await key('slow', 'enrol'),
    await key('flood', 'enrol'),
    await key('abort', 'enrol'),
    await key('careless', 'admin'),
    await key('crowd', 'admin'),
  ];
  const linesBefore = (await linesOf(audit)).length;
  const server = await startServer({
    ...(await makeGallery(PEOPLE, pack, context)).env,
    AUTH: 'key',
    KEYS_FILE: keysFile,
    AUDIT_FILE: audit,
    RATE_LIMIT: '6000',
  });
  const broken: string[] = [];
  const hold = (holds: boolean, what: string) => {
    say(`${holds ? 'holds ' : 'BROKEN'} ${what}`);
    if (!holds) broken.push(what);
  };
  try {
    const calm = await startGood(server.origin, good, frame);
    await sleep(3000);
    // The first answers of a server that has just started do not count.
    for (const samples of [calm.frames, calm.pictures]) samples.all.length = 0;
    await sleep(Math.max(10, seconds / 10) * 1000);
    await calm.end();
    say(`quiet: frames ${calm.frames.describe()}; pictures ${calm.pictures.describe()}`);

    const child = fork(CLIENTS, { stdio: 'inherit', execArgv: [] });
    // They stand for other machines, so they only get the time that the server leaves.
    if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
    let report: HostileReport = { answers: {}, acknowledged: 0 };
    const ready = new Promise<void>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`The hostile clients ended at once, with ${code}.`)));
      child.on('message', (message: HostileReport | 'ready') => {
        if (message === 'ready') resolve();
        else report = message;
      });
    });
    const port = Number(new URL(server.origin).port);
    child.send({ port, keys: hostile, numbers: pack.pack.embedder.length, who } satisfies HostileOrder);
    await ready;
    const busy = await startGood(server.origin, good, frame);
    const sizes: number[] = [];
    for (let mark = 0; mark < MARKS; mark++) {
      await sleep((seconds / MARKS) * 1000);
      sizes.push(await server.rss());
      say(`${mark + 1}/${MARKS}: resident ${sizes[mark].toFixed(0)} MB; frames ${busy.frames.describe()}`);
    }
    await busy.end();
    const ended = once(child, 'exit');
    child.send('end');
    await ended;
    say(`hostile clients were answered: ${JSON.stringify(report.answers)}`);

    for (const [what, quiet, now] of [
      ['frames', calm.frames, busy.frames],
      ['pictures', calm.pictures, busy.pictures],
    ] as const) {
      const most = quiet.at(QUIET) * MAX_SLOWDOWN;
      hold(now.at(BUSY) <= most, `${what}: ${now.describe()}; at most ${most.toFixed(0)} ms`);
    }
    const faults = Object.entries(busy.faults).map(([what, count]) => `${count} x ${what}`);
    hold(faults.length === 0, `the good client's answers: ${faults.join(', ') || 'all as they should be'}`);
    const [first, second] = [sizes.slice(1, MARKS / 2), sizes.slice(MARKS / 2)].map((some) =>
      Math.max(...some),
    );
    const limit = first * (1 + GROWTH.share) + GROWTH.mb;
    hold(second <= limit, `resident size: ${first.toFixed(0)} MB, then ${second.toFixed(0)} MB at most`);
    const failed = Object.entries(report.answers).filter(
      ([status]) => status.startsWith('5') && status !== '503',
    );
    hold(
      failed.length === 0,
      `answers of 500 and more but 503: ${JSON.stringify(Object.fromEntries(failed))}`,
    );
    const written = (await linesOf(audit)).slice(linesBefore).filter((line) => {
      const { who, outcome } = JSON.parse(line) as Record<string, string>;
      return who === `crowd ${stamp}` && outcome === 'done';
    });
    const changes = written.filter((line) => !line.includes('"export"'));
    hold(
      changes.length >= report.acknowledged,
      `the audit: ${changes.length} changes written, ${report.acknowledged} acknowledged`,
    );
  } finally {
    await server.end();
  }
  return broken;
}

async function linesOf(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').filter(Boolean);
}
