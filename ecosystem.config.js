import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** A worker needs about this much GPU memory for the facenet pack's networks, MiB. */
const GPU_MIB_PER_WORKER = 1536;

/** Free memory of the first GPU, MiB; 0 without a GPU. */
function freeGpuMemory() {
  try {
    const query = ['--query-gpu=memory.free', '--format=csv,noheader,nounits', '--id=0'];
    return Number.parseInt(execFileSync('nvidia-smi', query, { encoding: 'utf8' }), 10) || 0;
  } catch {
    return 0;
  }
}

/**
 * At least two workers, so that one goes on serving during a reload; otherwise one for every two cores, because each
 * worker's vision threads use the other one. The memory of a GPU limits them, too.
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
    // Without strict, pm2 swallows an exception that is thrown while modules are loaded.
    node_args: '--enable-source-maps --unhandled-rejections=strict',
    exec_mode: 'cluster',
    instances: workers,
    // A worker says "ready" once its networks have run and its gallery is loaded; until then the old one serves.
    wait_ready: true,
    listen_timeout: 120_000,
    // pm2 sends SIGINT, and by default SIGKILL after 1.6 s: a worker first answers open requests and drains its threads.
    kill_timeout: 30_000,
    max_memory_restart: process.env.MAX_WORKER_MEMORY ?? '2G',
    // A worker that cannot start exits with 1 within a minute, whatever it waits for, and after this many attempts it is
    // "errored" and not restarted any more. pm2 counts during min_uptime * max_restarts after the last manual start. There
    // is no delay between attempts (exp_backoff_restart_delay), because with one pm2 7.0.4 goes on showing "waiting
    // restart" after it has given up.
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
      // The client's address comes from nginx and from nobody else.
      TRUST_PROXY: process.env.TRUST_PROXY ?? '127.0.0.1',
      WORKERS: String(workers),
      VISION_THREADS:
        process.env.VISION_THREADS ?? String(Math.max(1, Math.floor(availableParallelism() / workers))),
    },
  },
];
