// The time from the first packet of a connection to its finding: in the lab, with real programs, for delivered and for
// dropped connections. The clock starts before the packet is sent and stops when the finding's line is read from
// `waybill findings --follow`.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { type LabSession, withLab } from '../lab/session.ts';
import { checkPrograms } from '../lab/system/privilege.ts';
import type { FindingJson } from '../model/json.ts';
import { median, percentile, printBudgets } from './budget.ts';

const topology = new URL('topology.yaml', import.meta.url).pathname;
/** Connections of each kind. */
const probes = 50;
const firstPort = 20_000;
/** A finding that has not arrived by then is an error. */
const maxWaitMs = 20_000;
const limitS = 2;

type Kind = { name: string; from: string; to: string; outcome: string };
/** In the topology, web -> db is denied and nothing enforces it; batch -> vault is denied and dropped. */
const kinds: readonly Kind[] = [
  { name: 'delivered (bypass)', from: 'web-0', to: 'db-0', outcome: 'bypass' },
  { name: 'dropped (blocked)', from: 'batch-0', to: 'vault-0', outcome: 'blocked' },
];

async function measure(session: LabSession): Promise<Map<string, number[]>> {
  const arrivals = new Map<string, (finding: FindingJson) => void>();
  const follower = follow(session, (finding) => arrivals.get(`${finding.initiator.pod} ${finding.port}`)?.(finding));
  const seconds = new Map<string, number[]>(kinds.map(({ name }) => [name, []]));
  try {
    await follower.ready;
    for (let i = 0; i < probes; i++) {
      await Promise.all(
        kinds.map(async ({ name, from, to, outcome }) => {
          const port = firstPort + i;
          const arrived = new Promise<number>((resolve, reject) => {
            const timer = setTimeout(() => reject(new Error(`no finding for ${from} -> ${to} ${port}`)), maxWaitMs);
            arrivals.set(`${from} ${port}`, ({ kind }) => {
              if (kind !== outcome) return;
              clearTimeout(timer);
              resolve(performance.now());
            });
          });
          const sent = performance.now();
          const dialled = dial(session, from, to, port);
          seconds.get(name)!.push(((await arrived) - sent) / 1000);
          await dialled;
        }),
      );
      if (process.stderr.isTTY) process.stderr.write(`\r${i + 1} of ${probes} probes`);
    }
  } finally {
    follower.end();
  }
  return seconds;
}

function dial({ network }: LabSession, from: string, to: string, port: number): Promise<unknown> {
  const pod = network.world.cluster.pods.find(({ name }) => name === to)!;
  const peer = network.peerAt({ kind: 'pod', namespace: 'shop', name: from });
  return peer.dial({ address: pod.addresses[0]!, port, protocol: 'TCP', bytes: 0, timeoutMs: 1_500, sourcePort: 0 });
}

function follow({ waybill }: LabSession, arrived: (finding: FindingJson) => void) {
  const [program, ...args] = waybill.clientCommand(['findings', '--follow', '-o', 'jsonl']);
  const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let ready: () => void = () => undefined;
  createInterface({ input: child.stdout }).on('line', (line) => {
    ready();
    const change = JSON.parse(line) as FindingJson | { gone: true };
    if ('initiator' in change) arrived(change);
  });
  return {
    /** The topology has a finding from the start (inert): when it arrives, the follower is connected. */
    ready: new Promise<void>((resolve) => {
      ready = resolve;
    }),
    end: () => child.kill(),
  };
}

checkPrograms();
const seconds = await withLab(topology, 'pcap', measure);
for (const [name, figures] of seconds) {
  const [p50, p99] = [median(figures), percentile(figures, 0.99)];
  process.stdout.write(`first packet to finding, ${name}: p50 ${p50.toFixed(2)} s, p99 ${p99.toFixed(2)} s\n`);
}
const all = [...seconds.values()].flat();
process.stdout.write(`first packet to finding, all ${all.length}: p50 ${median(all).toFixed(2)} s\n`);
const figure = percentile(all, 0.99);
printBudgets({ name: 'first-packet-to-finding-p99', figure, unit: 's', limit: limitS, better: 'lower' });
