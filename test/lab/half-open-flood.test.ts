// A pod floods with half-open connections, a pod is flooded from outside, and the others do what they always do. Each of
// their connections is recorded, and a finding says that the node does not record everything, until that is over.
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { sourceNames } from '../../agent/capture/choose.ts';
import { packet, tcp } from '../../lab/programs/packet.ts';
import { RawPeer } from '../../lab/programs/raw-peer.ts';
import { balances } from '../../lab/programs/waybill.ts';
import { type LabSession, withLab } from '../../lab/session.ts';
import type { Place } from '../../lab/topology/places.ts';
import type { Address } from '../../model/address.ts';
import type { ConnectionJson, FindingJson } from '../../model/json.ts';
import { until } from '../scene/until.ts';

const topology = new URL('half-open-flood.yaml', import.meta.url).pathname;
const synCount = 160_000;
/** Few enough for one list of flows. */
const botCount = 9_000;
const rounds = 8;
const maxStartMs = 30_000;
const maxEndMs = 30_000;

const pod = (name: string): Place => ({ kind: 'pod', namespace: 'shop', name });
const attacker = pod('batch-0');
/** Leads to open-0 and keeps the address of the client. */
const nodePort = 30081;

/** What somebody did, to be found by its source port. */
type Done = { what: string; protocol: 'TCP' | 'UDP'; sourcePort: number };

for (const source of sourceNames) {
  t.test(`${source}: a flood hides no connection of another pod, and is reported while it lasts`, async (t) => {
    const { done, forbidden, connections, begun, during, after, books } = await withLab(topology, source, play);
    for (const { what, protocol, sourcePort } of done) {
      const found = connections.filter((one) => one.protocol === protocol && one.initiatorPort === sourcePort);
      t.equal(found.length, 1, `${what} from port ${sourcePort} is one connection`);
    }
    for (const [node, flooded] of [
      ['node-a', 'shop/batch-0'],
      ['node-b', 'shop/open-0'],
    ] as const) {
      const gap = during.find(({ evidence }) => evidence.node === node);
      t.match(gap, { kind: 'coverage-gap', severity: 'medium', initiator: { kind: 'node', node } });
      t.match(gap!.evidence, { pods: [flooded], filledBy: flooded }, 'no other pod lost a packet');
      t.ok(
        begun.some(({ evidence }) => evidence.node === node && !('to' in evidence)),
        'it lasts while the flood does',
      );
      t.match(after.find(({ evidence }) => evidence.node === node)?.evidence.to, /^20/, 'it ended');
    }
    const isRecorded = connections.some((one) => one.protocol === 'UDP' && one.initiatorPort === forbidden);
    const isSummed = /"protocol":"UDP","port":514\b/.test(JSON.stringify(during));
    t.ok(isRecorded || isSummed, 'what the flooding pod sent meanwhile is recorded or counted');
    for (const [node, accounting] of books) t.ok(balances(accounting!), `the packet accounting of ${node} balances`);
  });
}

async function play(session: LabSession) {
  const { network, waybill } = session;
  const addressOf = (name: string): Address =>
    network.world.cluster.pods.find((one) => one.name === name)!.addresses[0]!;
  const [flooding, bots] = await Promise.all([
    RawPeer.start(network.world, attacker),
    RawPeer.start(network.world, { kind: 'outside', name: 'bots' }),
  ]);
  const nodeB = network.world.cluster.nodes.find((one) => one.name === 'node-b')!.addresses[0]!;
  const done: Done[] = [];
  let port = 20_000;
  const dial = async (from: Place, to: Address, toPort: number, protocol: Done['protocol'], what: string) => {
    port += 1;
    done.push({ what, protocol, sourcePort: port });
    const timeoutMs = protocol === 'UDP' ? 100 : 2_500;
    await network.peerAt(from).dial({ address: to, port: toPort, protocol, bytes: 50, timeoutMs, sourcePort: port });
  };
  const floods = Promise.all([
    flooding.synFlood({ source: addressOf('batch-0'), count: synCount, perSecond: 20_000 }),
    bots.send(
      Array.from({ length: botCount }, (_, i) =>
        packet(`198.18.${i >> 8}.${i & 255}` as Address, nodeB, tcp(1_024 + i, nodePort, 'S', { sequence: i })),
      ),
      { perSecond: 1_000 },
    ),
  ]);
  let begun: FindingJson[] = [];
  const isBegun = async () => {
    begun = await gaps(session);
    return begun.length === 2;
  };
  await until('both nodes have a gap', isBegun, maxStartMs);
  for (let round = 0; round < rounds; round++) {
    await Promise.all([
      dial(pod('near-0'), addressOf('late-0'), 7000, 'TCP', 'a connection between other pods'),
      dial(pod('near-0'), addressOf('vault-0'), 514, 'UDP', 'syslog of another pod'),
      dial(pod('cache-0'), addressOf('vault-0'), 8125, 'UDP', 'statsd of another pod'),
      dial(pod('open-0'), addressOf('near-0'), 8080, 'TCP', 'a connection of the flooded pod'),
      dial({ kind: 'outside', name: 'clients' }, nodeB, nodePort, 'TCP', 'a connection to the flooded pod'),
    ]);
  }
  const forbidden = 60_000;
  await network.peerAt(attacker).dial({
    ...{ address: addressOf('vault-0'), port: 514, protocol: 'UDP', bytes: 50 },
    ...{ timeoutMs: 100, sourcePort: forbidden },
  });
  const during = await gaps(session);
  await floods;
  await waybill.evaluated(60_000);
  const connections = await connectionsOf(session);
  const deadline = Date.now() + maxEndMs;
  let after = await gaps(session);
  while (after.some(({ evidence }) => !('to' in evidence)) && Date.now() < deadline) {
    await sleep(1_000);
    after = await gaps(session);
  }
  const status = await waybill.status();
  await Promise.all([flooding.kill(), bots.kill()]);
  return {
    done,
    forbidden,
    connections,
    begun,
    during,
    after,
    books: status.nodes.list.map((one) => [one.node, one.books] as const),
  };
}

/** Of everybody but the flooding pod, and what that pod sent without a handshake. */
async function connectionsOf({ waybill }: LabSession): Promise<ConnectionJson[]> {
  const pods = ['from-pod=shop/near-0', 'from-pod=shop/cache-0', 'from-pod=shop/open-0', 'to-pod=shop/open-0'];
  const queries = [...pods, 'port=514'];
  const found = new Map<string, ConnectionJson>();
  for (const query of queries) {
    for (const one of (await waybill.ask(`/v1/flows?${query}&last=10000`)) as ConnectionJson[]) found.set(one.id, one);
  }
  return [...found.values()];
}

async function gaps({ waybill }: LabSession): Promise<FindingJson[]> {
  const findings = (await waybill.ask('/v1/findings?last=10000')) as FindingJson[];
  return findings.filter(({ kind }) => kind === 'coverage-gap');
}
