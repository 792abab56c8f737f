import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { freePort } from './port.js';
import { temporaryFolder } from './temporary.js';
import { until } from './until.js';

// Debian has it where only root's path leads.
const PATH = `${process.env.PATH ?? ''}:/usr/sbin:/usr/local/sbin`;

/** False when a broker can be started here, else the reason to skip. */
export const MOSQUITTO_MISSING: false | string =
  spawnSync('mosquitto', ['-h'], { env: { PATH } }).error === undefined
    ? false
    : 'needs mosquitto, which is not installed here';

export const BROKER_USER = 'kaomon';
export const BROKER_PASSWORD = 'only-for-tests';

/** A mosquitto of the test's own, on a free port of the loopback, which asks for a password. */
export interface TestBroker {
  url: string;
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Again on the same port, with what it had kept. */
  start(): Promise<void>;
}

export async function startBroker(t: Pick<TestContext, 'after'>): Promise<TestBroker> {
  const folder = await temporaryFolder(t);
  const port = await freePort();
  const passwords = path.join(folder, 'passwords');
  const config = path.join(folder, 'mosquitto.conf');
  spawnSync('mosquitto_passwd', ['-c', '-b', passwords, BROKER_USER, BROKER_PASSWORD], { env: { PATH } });
  const lines = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous false',
    `password_file ${passwords}`,
    'persistence true',
    // What it keeps for who is away outlives it, however it ends.
    'autosave_on_changes true',
    'autosave_interval 1',
    `persistence_location ${folder}/`,
    // As root it would take another user, who cannot read the folder.
    `user ${spawnSync('id', ['-un'], { encoding: 'utf8' }).stdout.trim()}`,
  ];
  await writeFile(config, `${lines.join('\n')}\n`);
  let child: ChildProcess | undefined;

  const isListening = async () => {
    const socket = connectTcp(port, '127.0.0.1');
    const found = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    return found;
  };

  const broker: TestBroker = {
    url: `mqtt://127.0.0.1:${port}`,
    async stop(signal = 'SIGKILL') {
      if (child?.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill(signal);
      await exited;
    },
    async start() {
      child = spawn('mosquitto', ['-c', config], { stdio: 'ignore', env: { PATH } });
      await until(isListening);
    },
  };
  t.after(() => broker.stop());
  await broker.start();
  return broker;
}
