import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** One worker with the facenet pack and its networks' working memory takes about this much of a GPU, MiB. */
const GPU_MIB_PER_WORKER = 1536;

/** Free memory of the first GPU in MiB, or 0 without one. */
function freeGpuMemory() {
  try {
    const query = ['--query-gpu=memory.free', '--format=csv,noheader,nounits', '--id=0'];
    return Number.parseInt(execFileSync('nvidia-smi', query, { encoding: 'utf8' }), 10) || 0;
  } catch {
    return 0;
  }
}

/**
 * Two workers at least, so that a reload always leaves one serving; then one for every two cores, because each
 * worker's vision threads use the rest. On a GPU its memory sets the bound as well.
 */
function workerCount() {
  const asked = Number.parseInt(process.env.WORKERS ?? '', 10);
  if (asked > 0) return asked;
  const byCores = Math.max(2, Math.floor(availableParallelism() / 2));
  const onGpu = (process.env.EXECUTION_PROVIDERS ?? '').includes('cuda');
  return onGpu ? Math.max(1, Math.min(byCores, Math.floor(freeGpuMemory() / GPU_MIB_PER_WORKER))) : byCores;
}

const workers = workerCount();

/** pm2 reads `apps`. Settings come from the environment that pm2 is started in; these are the production defaults. */
export const apps = [
  {
    name: 'kaomon',
    script: 'dist/src/server.js',
    cwd: import.meta.dirname,
    // pm2 takes what a broken module throws and goes on: strict makes it the end that it is.
    node_args: '--enable-source-maps --unhandled-rejections=strict',
    exec_mode: 'cluster',
    instances: workers,
    // The worker says "ready" once its networks have run and its gallery is loaded; until then the old one serves.
    wait_ready: true,
    listen_timeout: 120_000,
    // pm2 sends SIGINT and would kill after 1.6 s: a worker first answers what is in flight and drains its threads.
    kill_timeout: 30_000,
    max_memory_restart: process.env.MAX_WORKER_MEMORY ?? '2G',
    // A worker that cannot start exits with 1 within a minute, whatever it waited for, and is "errored" after so many
    // times, not restarted for ever. pm2 counts in the first min_uptime * max_restarts after the start that somebody
    // asked for. No delay between them (exp_backoff_restart_delay): with one, pm2 7.0.4 shows "waiting restart" for
    // ever where it has given up.
    min_uptime: 60_000,
    max_restarts: 6,
    env: {
      NODE_ENV: 'production',
      // glibc keeps a heap for each thread that allocates; two are as fast and 26 MB smaller (docs/performance.md).
      MALLOC_ARENA_MAX: process.env.MALLOC_ARENA_MAX ?? '2',
      HOST: process.env.HOST ?? '127.0.0.1',
      PORT: process.env.PORT ?? '8080',
      // nginx speaks TLS; see nginx/kaomon.conf.
      TLS: process.env.TLS ?? 'false',
      // The client's address as nginx saw it, and from nowhere else.
      TRUST_PROXY: process.env.TRUST_PROXY ?? '127.0.0.1',
      WORKERS: String(workers),
      VISION_THREADS:
        process.env.VISION_THREADS ?? String(Math.max(1, Math.floor(availableParallelism() / workers))),
    },
  },
];
