// Waybill itself in the lab: one collector, one agent on each node, with development certificates.
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { stringify } from 'yaml';
import { makeCertificates } from '../../certs/make.ts';
import type { ConnectionJson, FindingJson } from '../../model/json.ts';
import { ProblemError } from '../../model/problem.ts';
import type { ClusterNetwork } from '../cluster-network.ts';
import { waybillFailed } from '../errors.ts';
import { collectorAddress } from '../network/fabric.ts';
import { collectorNamespace, nodeNamespace } from '../network/names.ts';
import { run } from '../run.ts';

const commandLine = new URL('../../cli/waybill.ts', import.meta.url).pathname;
const asker = new URL('asker.ts', import.meta.url).pathname;
const ports = { ingest: 7443, api: 7444, health: 7445, agentHealth: 7446 };
const startsWithinMs = 15_000;
const endsWithinMs = 20_000;

/** The part of `waybill status -o json` that the lab waits by. */
export type StatusSeen = {
  cluster: { synced: boolean };
  nodes: { reporting: number; of: number; list: { node: string; lagMs?: number; books?: BooksSeen }[] };
  join: { pending: number };
  store: { packets: number };
};
type AccountSeen = {
  seen: number;
  stored: number;
  setAside: Record<string, number>;
  lost: Record<string, number>;
};
export type BooksSeen = AccountSeen & { bytes: AccountSeen };

/** Each packet that was seen, and each byte, is stored, was set aside, or is lost and said so. */
export function balances(books: BooksSeen): boolean {
  return isWhole(books) && isWhole(books.bytes);
}

function isWhole({ seen, stored, setAside, lost }: AccountSeen): boolean {
  const all = (byReason: Record<string, number>) => Object.values(byReason).reduce((sum, one) => sum + one, 0);
  return seen === stored + all(setAside) + all(lost);
}

export class WaybillPrograms {
  readonly #network: ClusterNetwork;
  readonly #source: string;
  readonly #folder: string;
  readonly #children: ChildProcess[] = [];
  #asker: { ask(): Promise<StatusSeen>; end(): void } | undefined;
  readonly #pids = new Map<string, number>();

  /** `source` is the capture source of the agents. */
  constructor(network: ClusterNetwork, source: string) {
    this.#network = network;
    this.#source = source;
    this.#folder = join(network.folder, 'waybill');
  }

  /** Resolves when the collector knows the cluster and every agent reports. */
  async start(): Promise<void> {
    const { topology, world } = this.#network;
    const server = collectorAddress(topology.underlay[0]!);
    const certificates = join(this.#folder, 'certs');
    await mkdir(this.#folder, { recursive: true });
    await makeCertificates({
      folder: certificates,
      nodes: world.cluster.nodes.map((node) => node.name),
      servers: [server, 'localhost'],
      days: 2,
      overwrite: false,
    });
    const tls = (name: string) => ({
      ca: join(certificates, 'ca.crt'),
      cert: join(certificates, `${name}.crt`),
      key: join(certificates, `${name}.key`),
    });
    const collector = await this.#writeConfig('collector', topology.waybill.collector, {
      cluster: { manifests: this.#network.manifests },
      ingest: { listen: `0.0.0.0:${ports.ingest}` },
      api: { listen: `0.0.0.0:${ports.api}` },
      health: { listen: `0.0.0.0:${ports.health}` },
      tls: tls('collector'),
      store: { path: join(this.#folder, 'store', 'waybill.duckdb') },
    });
    await this.#startProgram('collector', collectorNamespace(this.#network.id), collector, 'collector listens');
    await Promise.all(
      world.cluster.nodes.map(async (node) => {
        const config = await this.#writeConfig(`agent-${node.name}`, topology.waybill.agent, {
          node: { name: node.name },
          cluster: { manifests: this.#network.manifests },
          collector: { address: `${server}:${ports.ingest}` },
          capture: { source: this.#source },
          health: { listen: `0.0.0.0:${ports.agentHealth}` },
          tls: tls(`agent-${node.name}`),
        });
        await this.#startProgram(
          `agent-${node.name}`,
          nodeNamespace(this.#network.id, node.name),
          config,
          'agent watches',
        );
      }),
    );
    await this.#until((status) => status.cluster.synced && status.nodes.reporting === status.nodes.of, startsWithinMs);
  }

  /** Resolves when what was sent until now is judged, and no packet is on its way any more; at most `withinMs`. */
  async judged(withinMs: number): Promise<void> {
    const sentMs = Date.now();
    let before = false;
    await this.#until((status) => {
      const covered = status.nodes.list.every((node) => Date.now() - (node.lagMs ?? Date.now()) > sentMs);
      const balanced = status.nodes.list.every((node) => node.books !== undefined && balances(node.books));
      const now = covered && balanced && status.join.pending === 0;
      const settled = before && now;
      before = now;
      return settled;
    }, withinMs);
  }

  async status(): Promise<StatusSeen> {
    this.#asker ??= this.#startAsker();
    return this.#asker.ask();
  }

  async findings(): Promise<FindingJson[]> {
    return (await this.#ask(['findings', '-o', 'json', '--last', '10000'])) as FindingJson[];
  }

  async connections(): Promise<ConnectionJson[]> {
    return (await this.#ask(['flows', '-o', 'json', '--last', '10000'])) as ConnectionJson[];
  }

  /** Process of `collector` or `agent-NODE`. */
  pidOf(name: string): number {
    return this.#pids.get(name)!;
  }

  /** The command line in the collector's namespace, with the client's certificate. */
  clientCommand(words: readonly string[]): string[] {
    const certificates = join(this.#folder, 'certs');
    const flags = [
      ['--collector', `https://localhost:${ports.api}`],
      ['--ca', join(certificates, 'ca.crt')],
      ['--cert', join(certificates, 'client.crt')],
      ['--key', join(certificates, 'client.key')],
    ];
    const namespace = `--net=/run/netns/${collectorNamespace(this.#network.id)}`;
    return ['nsenter', namespace, process.execPath, commandLine, ...words, ...flags.flat()];
  }

  /** Ends agents first, so that the collector gets their last word. */
  async stop(): Promise<void> {
    this.#asker?.end();
    const [collector, ...agents] = this.#children;
    await Promise.all(agents.map(ended));
    if (collector !== undefined) await ended(collector);
  }

  async #ask(words: readonly string[]): Promise<unknown> {
    const [program, ...args] = this.clientCommand(words);
    return JSON.parse(await run(program!, args));
  }

  #startAsker() {
    const certificates = ['ca.crt', 'client.crt', 'client.key'].map((name) => join(this.#folder, 'certs', name));
    const child = spawn(
      'nsenter',
      [
        `--net=/run/netns/${collectorNamespace(this.#network.id)}`,
        process.execPath,
        asker,
        `https://localhost:${ports.api}`,
        ...certificates,
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const waiting: { resolve(status: StatusSeen): void; reject(error: Error): void }[] = [];
    createInterface({ input: child.stdout }).on('line', (line) =>
      waiting.shift()?.resolve(JSON.parse(line) as StatusSeen),
    );
    child.stdin.on('error', () => undefined);
    child.once('exit', () => {
      this.#asker = undefined;
      const problem = waybillFailed('the collector', 'it does not tell its status', `see the logs in ${this.#folder}`);
      for (const { reject } of waiting.splice(0)) reject(new ProblemError(problem));
    });
    return {
      ask: () =>
        new Promise<StatusSeen>((resolve, reject) => {
          waiting.push({ resolve, reject });
          child.stdin.write('\n');
        }),
      end: () => child.stdin.end(),
    };
  }

  async #until(reached: (status: StatusSeen) => boolean, withinMs: number): Promise<void> {
    const deadline = Date.now() + withinMs;
    for (;;) {
      const status = await this.status();
      if (reached(status)) return;
      if (Date.now() > deadline) {
        const fault = `not ready after ${withinMs / 1000} s: ${JSON.stringify(status.nodes)} ${JSON.stringify(status.join)}`;
        throw new ProblemError(waybillFailed('the collector', fault, `see the logs in ${this.#folder}`));
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  async #writeConfig(name: string, given: Record<string, unknown>, own: Record<string, object>): Promise<string> {
    const merged: Record<string, unknown> = { ...own };
    for (const [section, settings] of Object.entries(given)) {
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
    let complaint = '';
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = (complaint + chunk.toString()).slice(-1000);
    });
    return new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => line.includes(readyLine) && resolve());
      child.once('exit', (code) => {
        const said = complaint.trim().split('\n').join(' ') || `exit code ${code}`;
        reject(new ProblemError(waybillFailed(name, said, `see ${this.#folder}/${name}.log`)));
      });
    });
  }
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    const timer = setTimeout(() => child.kill('SIGKILL'), endsWithinMs);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill('SIGTERM');
  });
}
