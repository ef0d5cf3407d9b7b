// A real InfluxDB 1.x on loopback with its own folder and ports. It stops with the test.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, writeFileSync } from 'node:fs';
import { InfluxDB } from 'influx';
import type { Test } from 'tap';
import { freePort } from './free-port.ts';
import { until } from './until.ts';

const program = '/usr/bin/influxd';

/** The reason to skip a tap test; false if influxd is installed. */
export const withoutInfluxd: string | false = (() => {
  try {
    accessSync(program);
    return false;
  } catch {
    return 'influxd is not installed (apt-get install influxdb)';
  }
})();

export class Influxd {
  readonly port: number;
  readonly #folder: string;
  #child: ChildProcess | undefined;

  private constructor(port: number, folder: string) {
    this.port = port;
    this.#folder = folder;
  }

  /** Does not start it. `auth`: every request needs credentials. */
  static async prepare(t: Test, { auth }: { auth: boolean }): Promise<Influxd> {
    const folder = t.testdir();
    const [http, rpc] = [await freePort(), await freePort()];
    writeFileSync(`${folder}/influxdb.conf`, settings(folder, http, rpc, auth));
    const server = new Influxd(http, folder);
    t.teardown(() => server.stop());
    return server;
  }

  static async start(t: Test, options = { auth: false }): Promise<Influxd> {
    const server = await Influxd.prepare(t, options);
    await server.start();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const child = spawn(program, ['-config', `${this.#folder}/influxdb.conf`], { stdio: 'ignore' });
    this.#child = child;
    await until('influxd answers', async () => {
      if (child.exitCode !== null) throw new Error(`influxd ended with exit code ${child.exitCode}`);
      return fetch(`${this.url}/ping`).then(
        (answer) => answer.status === 204,
        () => false,
      );
    });
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** The library's client, to prepare a database and to read what was written. */
  client(user?: { username: string; password: string }): InfluxDB {
    return new InfluxDB({ host: '127.0.0.1', port: this.port, database: 'waybill', ...user });
  }
}

function settings(folder: string, http: number, rpc: number, auth: boolean): string {
  return `
reporting-disabled = true
bind-address = "127.0.0.1:${rpc}"
[meta]
  dir = "${folder}/meta"
[data]
  dir = "${folder}/data"
  wal-dir = "${folder}/wal"
[monitor]
  store-enabled = false
[subscriber]
  enabled = false
[continuous_queries]
  enabled = false
[http]
  bind-address = "127.0.0.1:${http}"
  auth-enabled = ${auth}
  log-enabled = false
[logging]
  level = "error"
`;
}
