// Waybill in the lab: one collector, and one agent on each node, with development certificates.
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { stringify } from 'yaml';
import { makeCertificates } from '../../certs/make.ts';
import type { ConnectionJson, FindingJson } from '../../model/json.ts';
import { ProblemError } from '../../model/problem.ts';
import { collectorAddress } from '../network/fabric.ts';
import type { LabWorld } from '../network/node.ts';
import { waybillFailed } from '../system/errors.ts';
import { collectorNamespace, nodeNamespace } from '../system/names.ts';
import { run } from '../system/run.ts';
import type { ApiAnswer } from './api-program.ts';

const commandLine = new URL('../../cli/waybill.ts', import.meta.url).pathname;
const apiProgram = new URL('api-program.ts', import.meta.url).pathname;
const ports = { ingest: 7443, api: 7444, health: 7445, agentHealth: 7446 };
const maxStartMs = 15_000;
const maxShutdownMs = 20_000;

/** The lab of these programs: its current `world`, its own folder, and the folder of its manifests. */
type Lab = { readonly world: LabWorld; readonly folder: string; readonly manifests: string };

/** The fields of `waybill status -o json` that the lab reads. */
export type StatusFields = {
  cluster: { synced: boolean };
  nodes: { reporting: number; of: number; list: { node: string; lagMs?: number; books?: NodeAccounting }[] };
  join: { pending: number };
  store: { packets: number };
};
type Counters = {
  seen: number;
  stored: number;
  setAside: Record<string, number>;
  lost: Record<string, number>;
};
export type NodeAccounting = Counters & { bytes: Counters };

/** Every packet and byte that was seen is counted as stored, ignored (`setAside`) or lost. */
export function balances(accounting: NodeAccounting): boolean {
  return addsUp(accounting) && addsUp(accounting.bytes);
}

function addsUp({ seen, stored, setAside, lost }: Counters): boolean {
  const sumOf = (byReason: Record<string, number>) => Object.values(byReason).reduce((sum, one) => sum + one, 0);
  return seen === stored + sumOf(setAside) + sumOf(lost);
}

export class WaybillPrograms {
  readonly #lab: Lab;
  readonly #source: string;
  readonly #folder: string;
  readonly #children: ChildProcess[] = [];
  #apiQueries: { ask(path: string): Promise<unknown>; end(): void } | undefined;
  readonly #pids = new Map<string, number>();

  /** `source` is the capture source of the agents. */
  constructor(lab: Lab, source: string) {
    this.#lab = lab;
    this.#source = source;
    this.#folder = join(lab.folder, 'waybill');
  }

  /** Resolves when the collector has read the cluster and every agent reports. */
  async start(): Promise<void> {
    const { world } = this.#lab;
    const { topology } = world;
    await mkdir(this.#folder, { recursive: true });
    await makeCertificates({
      folder: join(this.#folder, 'certs'),
      nodes: world.cluster.nodes.map((node) => node.name),
      servers: [this.#serverAddress, 'localhost'],
      days: 2,
      overwrite: false,
    });
    const collector = await this.#writeConfig('collector', topology.waybill.collector, {
      cluster: { manifests: this.#lab.manifests },
      ingest: { listen: `0.0.0.0:${ports.ingest}` },
      api: { listen: `0.0.0.0:${ports.api}` },
      health: { listen: `0.0.0.0:${ports.health}` },
      tls: this.certificate('collector'),
      store: { path: join(this.#folder, 'store', 'waybill.duckdb') },
    });
    await this.#startProgram('collector', collectorNamespace(this.#lab.world.id), collector, 'collector listening');
    await Promise.all(
      world.cluster.nodes.map(async (node) => {
        const config = await this.#writeConfig(`agent-${node.name}`, topology.waybill.agent, {
          node: { name: node.name },
          cluster: { manifests: this.#lab.manifests },
          collector: { address: this.ingestAddress },
          capture: { source: this.#source },
          health: { listen: `0.0.0.0:${ports.agentHealth}` },
          tls: this.certificate(`agent-${node.name}`),
        });
        await this.#startProgram(
          `agent-${node.name}`,
          nodeNamespace(this.#lab.world.id, node.name),
          config,
          'agent started',
        );
      }),
    );
    await this.#until((status) => status.cluster.synced && status.nodes.reporting === status.nodes.of, maxStartMs);
  }

  /** Resolves when all traffic sent until now is evaluated and every packet is accounted for. Throws after `withinMs`. */
  async evaluated(withinMs: number): Promise<void> {
    const sentMs = Date.now();
    let before = false;
    await this.#until((status) => {
      const covered = status.nodes.list.every((node) => Date.now() - (node.lagMs ?? Date.now()) > sentMs);
      const balanced = status.nodes.list.every((node) => node.books !== undefined && balances(node.books));
      const now = covered && balanced && status.join.pending === 0;
      const isStable = before && now;
      before = now;
      return isStable;
    }, withinMs);
  }

  async status(): Promise<StatusFields> {
    return (await this.ask('/v1/status')) as StatusFields;
  }

  /** The collector's answer to a path such as `/v1/flows?last=100`. Throws a ProblemError with the reported fault. */
  async ask(path: string): Promise<unknown> {
    this.#apiQueries ??= this.#startApiProgram();
    return this.#apiQueries.ask(path);
  }

  /** The packet accounting of each node whose agent reports one. */
  async accounting(): Promise<Map<string, NodeAccounting>> {
    const { nodes } = await this.status();
    return new Map(nodes.list.flatMap(({ node, books }) => (books === undefined ? [] : [[node, books] as const])));
  }

  async findings(): Promise<FindingJson[]> {
    return (await this.#runClient(['findings', '-o', 'json', '--last', '10000'])) as FindingJson[];
  }

  async connections(): Promise<ConnectionJson[]> {
    return (await this.#runClient(['flows', '-o', 'json', '--last', '10000'])) as ConnectionJson[];
  }

  /** host:port for agents, as the nodes reach it. */
  get ingestAddress(): string {
    return `${this.#serverAddress}:${ports.ingest}`;
  }

  /** Address and port of the API, as the nodes reach it. */
  get api(): { host: string; port: number } {
    return { host: this.#serverAddress, port: ports.api };
  }

  /** Paths of the certificate `collector`, `client` or `agent-NODE`, its key, and the authority of all. */
  certificate(name: string): { ca: string; cert: string; key: string } {
    const path = (file: string) => join(this.#folder, 'certs', file);
    return { ca: path('ca.crt'), cert: path(`${name}.crt`), key: path(`${name}.key`) };
  }

  /** Process id of `collector` or `agent-NODE`. */
  pidOf(name: string): number {
    return this.#pids.get(name)!;
  }

  /** The command that runs `waybill` in the collector's namespace with the client's certificate. */
  clientCommand(args: readonly string[]): string[] {
    const { ca, cert, key } = this.certificate('client');
    const flags = [
      ['--collector', `https://localhost:${ports.api}`],
      ['--ca', ca],
      ['--cert', cert],
      ['--key', key],
    ];
    const namespace = `--net=/run/netns/${collectorNamespace(this.#lab.world.id)}`;
    return ['nsenter', namespace, process.execPath, commandLine, ...args, ...flags.flat()];
  }

  get #serverAddress(): string {
    return collectorAddress(this.#lab.world.topology.underlay[0]!);
  }

  /** Stops the agents first: the collector then gets their last records. */
  async stop(): Promise<void> {
    this.#apiQueries?.end();
    const [collector, ...agents] = this.#children;
    await Promise.all(agents.map(terminated));
    if (collector !== undefined) await terminated(collector);
  }

  async #runClient(args: readonly string[]): Promise<unknown> {
    const [program, ...rest] = this.clientCommand(args);
    return JSON.parse(await run(program!, rest));
  }

  #startApiProgram() {
    const { ca, cert, key } = this.certificate('client');
    const child = spawn(
      'nsenter',
      [
        `--net=/run/netns/${collectorNamespace(this.#lab.world.id)}`,
        process.execPath,
        apiProgram,
        `https://localhost:${ports.api}`,
        ca,
        cert,
        key,
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const pending: { resolve(value: unknown): void; reject(error: Error): void }[] = [];
    const failed = (fault: string) =>
      new ProblemError(waybillFailed('the collector', fault, `see the logs in ${this.#folder}`));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const answer = JSON.parse(line) as ApiAnswer;
      if ('error' in answer) pending.shift()?.reject(failed(answer.error));
      else pending.shift()?.resolve(answer.value);
    });
    child.stdin.on('error', () => undefined);
    child.once('exit', () => {
      this.#apiQueries = undefined;
      for (const { reject } of pending.splice(0)) reject(failed('it does not answer'));
    });
    return {
      ask: (path: string) =>
        new Promise<unknown>((resolve, reject) => {
          pending.push({ resolve, reject });
          child.stdin.write(`${path}\n`);
        }),
      end: () => child.stdin.end(),
    };
  }

  async #until(isReached: (status: StatusFields) => boolean, withinMs: number): Promise<void> {
    const deadline = Date.now() + withinMs;
    for (;;) {
      const status = await this.status();
      if (isReached(status)) return;
      if (Date.now() > deadline) {
        const fault = `not ready after ${withinMs / 1000} s: ${JSON.stringify(status.nodes)} ${JSON.stringify(status.join)}`;
        throw new ProblemError(waybillFailed('the collector', fault, `see the logs in ${this.#folder}`));
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  async #writeConfig(name: string, overrides: Record<string, unknown>, own: Record<string, object>): Promise<string> {
    const merged: Record<string, unknown> = { ...own };
    for (const [section, settings] of Object.entries(overrides)) {
      merged[section] = { ...(own[section] ?? {}), ...(settings as object) };
    }
    const path = join(this.#folder, `${name}.yaml`);
    await writeFile(path, stringify(merged));
    return path;
  }

  #startProgram(name: string, namespace: string, config: string, readyLine: string): Promise<void> {
    const kind = name === 'collector' ? 'collector' : 'agent';
    const child = spawn(
      'nsenter',
      [`--net=/run/netns/${namespace}`, process.execPath, commandLine, kind, '--config', config],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.#children.push(child);
    this.#pids.set(name, child.pid!);
    const log = createWriteStream(join(this.#folder, `${name}.log`));
    child.stdout.pipe(log);
    let errorText = '';
    child.stderr.on('data', (chunk: Buffer) => {
      errorText = (errorText + chunk.toString()).slice(-1000);
    });
    return new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => line.includes(readyLine) && resolve());
      child.once('exit', (code) => {
        const fault = errorText.trim().split('\n').join(' ') || `exit code ${code}`;
        reject(new ProblemError(waybillFailed(name, fault, `see ${this.#folder}/${name}.log`)));
      });
    });
  }
}

function terminated(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    const timer = setTimeout(() => child.kill('SIGKILL'), maxShutdownMs);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill('SIGTERM');
  });
}
