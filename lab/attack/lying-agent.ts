// The attacker has the certificate of node-c, which has no pods, and streams lies to the collector with it.
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeCertificates } from '../../certs/make.ts';
import type { Address } from '../../model/address.ts';
import { TCP } from '../../model/protocol.ts';
import { ACK, type ConnectionRecord, SYN } from '../../model/record.ts';
import { encodeRecords } from '../../proto/encode.ts';
import type { AgentState, FlowBatch, WireInterface } from '../../proto/wire.ts';
import { ForgedAgent } from '../programs/forged-agent.ts';
import { packet, tcp } from '../programs/packet.ts';
import { nodeNamespace } from '../system/names.ts';
import type { Attack, Stage } from './attack.ts';
import { missingFinding } from './expected-finding.ts';

const liarsNode = 'node-c';
const year = 365 * 24 * 3600 * 1_000_000;
const answerMs = 5_000;
/** Of the forged interfaces. */
const framedIndex = 900;
const targetIndex = 901;

export const foreignPods: Attack = {
  name: 'agent that claims pods of another node',
  does: 'reports, as the agent of a node without pods, that a pod of another node made a forbidden connection',
  async run(stage) {
    const agent = await forgedAgent(stage);
    const [batch, db] = [stage.addressOf('shop/batch-0'), stage.addressOf('shop/db-0')];
    agent.send(
      batchOf(1, {
        state: stateOf([link(framedIndex, 'uid-batch-0', batch), link(targetIndex, 'uid-db-0', db)]),
        records: [
          record(batch, 41_001, db, 5601, { point: 'source', interfaceIndex: framedIndex }),
          record(batch, 41_001, db, 5601, { point: 'destination', interfaceIndex: targetIndex }),
        ],
      }),
    );
    await sleep(answerMs);
    await agent.end();
    // A finding of the framed pod is a false finding, which the run reports for every attack.
    return async () => refusalFaults(stage);
  },
};

export const hostRecords: Attack = {
  name: 'agent that turns a connection round',
  does: 'makes a forbidden connection, and reports as an agent, by records of a host, that its responder began it',
  async run(stage) {
    const agent = await forgedAgent(stage);
    const [own, db] = [stage.addressOf('tenant/evil-0'), stage.addressOf('shop/db-0')];
    const port = stage.nextPort();
    const lies = Array.from({ length: 200 }, () => record(db, 5602, own, port, { point: 'host', interfaceIndex: 1 }));
    agent.send(batchOf(1, { state: stateOf([]), records: lies }));
    await stage.attacker.send([packet(own, db, tcp(port, 5602, 'S'))]);
    agent.send(batchOf(2, { state: null, records: lies }));
    await sleep(answerMs);
    await agent.end();
    return async () => {
      const wanted = { kind: 'bypass', severity: 'critical', responder: 'shop/db', protocol: 'TCP', port: 5602 };
      const missing = missingFinding(wanted, await stage.ownFindings());
      return [...(missing === undefined ? [] : [missing]), ...(await refusalFaults(stage))];
    };
  },
};

export const blindingAgent: Attack = {
  name: 'agent that claims the interface of a blocked pod',
  does: 'reports that it watches the interface of a pod on another node, that it lost packets, and that it saw until 2036',
  async run(stage) {
    const agent = await forgedAgent(stage);
    const vault = stage.addressOf('shop/vault-0');
    const nodes = ['node node-a', 'node node-b'].map((node) => stage.addressOf(node));
    const state = stateOf([{ ...link(framedIndex, 'uid-vault-0', vault), seesToPod: false }], nodes);
    for (let sequence = 1; sequence <= 5; sequence++) {
      const lost = { seen: sequence * 1_000, stored: 0, ignored: {}, lost: { 'kernel-buffer-full': sequence * 1_000 } };
      const batch = batchOf(sequence, { state: { ...state, accounting: { ...lost, bytes: lost } }, records: [] });
      agent.send({ ...batch, coveredUntilUs: nowUs() + 10 * year });
      await sleep(1_000);
    }
    await agent.end();
    // The probe’s connections of that time are still denied and not delivered: the check of the honest traffic.
    return async () => [];
  },
};

export const impossibleNumber: Attack = {
  name: 'agent with an impossible number',
  does: 'sends a record that began 2^63 microseconds before its first packet',
  async run(stage) {
    const agent = await forgedAgent(stage);
    const [own, db] = [stage.addressOf('tenant/evil-0'), stage.addressOf('shop/db-0')];
    const batch = batchOf(1, {
      state: stateOf([]),
      records: [record(own, stage.nextPort(), db, 5603, { point: 'host', interfaceIndex: 1 })],
    });
    // The type of the column is number, which cannot hold 2^63.
    agent.send({ ...batch, records: { ...batch.records!, age: ['9223372036854775808' as unknown as number] } });
    await sleep(answerMs);
    const answers = agent.answers();
    await agent.end();
    return async () => {
      const refused = answers.some((one) => 'ended' in one || /age/.test(one.refused));
      const lists = await Promise.all(
        ['findings', 'flows'].map((list) => stage.waybill.ask(`/v1/${list}?last=10`).then(() => '', String)),
      );
      return [
        refused ? undefined : `expected a refusal that names the field age; seen ${JSON.stringify(answers)}`,
        ...lists.map((fault) => (fault === '' ? undefined : `a list fails: ${fault}`)),
      ].filter((one) => one !== undefined);
    };
  },
};

export const takenSequence: Attack = {
  name: 'agent that takes the sequence numbers of another',
  does: 'sends a batch with the instance and sequence of another agent, before that agent sends it',
  async run(stage) {
    const liar = await forgedAgent(stage);
    const honest = await ForgedAgent.start({
      namespace: nodeNamespace(stage.network.id, liarsNode),
      address: stage.waybill.ingestAddress,
      ...(await certificateOf(stage, 'node-d')),
    });
    const batch = { ...batchOf(1, { state: stateOf([]), records: [] }), instance: 'shared' };
    liar.send(batch);
    await sleep(1_000);
    honest.send({ ...batch, node: 'node-d' });
    await sleep(1_000);
    const { nodes } = (await stage.waybill.ask('/v1/status')) as StatusNodes;
    const dropped = nodes.list.find(({ node }) => node === 'node-d')?.duplicatesDropped;
    await Promise.all([liar.end(), honest.end()]);
    return async () => [
      ...(dropped === 0 ? [] : [`expected no dropped batch of the other agent; seen ${dropped ?? 'no such agent'}`]),
    ];
  },
};

export const silentStreams: Attack = {
  name: 'streams that never send',
  does: 'opens 100 streams to a collector that accepts 20 agents, and sends nothing',
  reportMs: 40_000,
  async run(stage) {
    const liar = await forgedAgent(stage);
    liar.open(Array.from({ length: 100 }, (_, i) => i + 1));
    await sleep(2_000);
    const cert = await certificateOf(stage, 'node-e');
    const place = { namespace: nodeNamespace(stage.network.id, liarsNode), address: stage.waybill.ingestAddress };
    const started = Date.now();
    let accepted = false;
    while (!accepted && Date.now() - started < 30_000) {
      const honest = await ForgedAgent.start({ ...place, ...cert });
      honest.send({ ...batchOf(1, { state: stateOf([]), records: [] }), node: 'node-e' });
      await sleep(2_000);
      accepted = honest.answers().some((one) => 'sequence' in one && one.sequence === 1 && one.refused === '');
      await honest.end();
    }
    const { nodes } = (await stage.waybill.ask('/v1/status')) as StatusNodes;
    await liar.end();
    return async () => [
      ...(accepted ? [] : ['expected that another agent is accepted within 30 s; it was refused']),
      ...nodes.list
        .filter(({ node, lagMs = Number.POSITIVE_INFINITY }) => /node-[ab]/.test(node) && lagMs > 5_000)
        .map(({ node, lagMs }) => `expected that ${node} is at most 5 s behind; seen ${lagMs} ms`),
    ];
  },
};

type StatusNodes = { nodes: { list: { node: string; lagMs?: number; duplicatesDropped?: number }[] } };

export async function forgedAgent({ network, waybill }: Stage): Promise<ForgedAgent> {
  return ForgedAgent.start({
    namespace: nodeNamespace(network.id, liarsNode),
    address: waybill.ingestAddress,
    ...waybill.certificate(`agent-${liarsNode}`),
  });
}

/** A certificate of the same authority for a node that has no agent. */
async function certificateOf({ network, waybill }: Stage, node: string) {
  const folder = join(network.folder, `certs-${node}`);
  await mkdir(folder);
  const { ca } = waybill.certificate('client');
  for (const file of [ca, ca.replace(/crt$/, 'key')]) await cp(file, join(folder, file.split('/').at(-1)!));
  await makeCertificates({ folder, nodes: [node], servers: [], days: 1, overwrite: false });
  return { ca, cert: join(folder, `agent-${node}.crt`), key: join(folder, `agent-${node}.key`) };
}

/** The status says for the liar’s node how many of its claims were refused. */
async function refusalFaults({ waybill }: Stage): Promise<string[]> {
  const { nodes } = (await waybill.ask('/v1/status')) as { nodes: { list: Record<string, unknown>[] } };
  const own = nodes.list.find(({ node }) => node === liarsNode);
  const counts = Object.entries(own ?? {}).filter(([name]) => /refused/i.test(name));
  const isCounted = counts.some(([, value]) => /[1-9]/.test(JSON.stringify(value)));
  return isCounted ? [] : [`expected refused claims of ${liarsNode} in the status; seen ${JSON.stringify(counts)}`];
}

function nowUs(): number {
  return Date.now() * 1000;
}

export function batchOf(
  sequence: number,
  { state, records }: { state: AgentState | null; records: readonly ConnectionRecord[] },
): FlowBatch {
  return {
    node: liarsNode,
    instance: 'forged',
    sequence,
    sentUs: nowUs(),
    coveredUntilUs: nowUs(),
    state,
    records: encodeRecords(records),
    names: null,
  };
}

export function stateOf(interfaces: WireInterface[], nodeAddresses: readonly Address[] = []): AgentState {
  return {
    version: '0.1.0',
    source: 'ebpf',
    sourceReason: '',
    interfaces,
    accounting: null,
    nodeAddresses: [...nodeAddresses],
    notWatched: [],
  };
}

function link(index: number, podUid: string, address: Address): WireInterface {
  const watchedSinceUs = nowUs() - 60_000_000;
  return {
    index,
    name: `veth${index}`,
    podUid,
    addresses: [address],
    watchedSinceUs,
    seesFromPod: true,
    seesToPod: true,
    goneUs: 0,
    gapFreeSinceUs: watchedSinceUs,
  };
}

/** An answered TCP connection of now. */
function record(
  initiator: Address,
  initiatorPort: number,
  responder: Address,
  responderPort: number,
  at: Pick<ConnectionRecord, 'point' | 'interfaceIndex'>,
): ConnectionRecord {
  const now = nowUs();
  return {
    initiator,
    initiatorPort,
    responder,
    responderPort,
    protocol: TCP,
    ...at,
    podUid: '',
    initiatorBy: 'handshake',
    beganUs: now,
    firstUs: now,
    lastUs: now,
    packets: { forward: 4, reverse: 3 },
    frames: 7,
    bytes: { forward: 300, reverse: 250 },
    tcpFlags: { forward: SYN | ACK, reverse: SYN | ACK },
    synRetries: 0,
    unreachable: false,
    answered: true,
    deliveryUnproven: false,
    rttUs: 100,
    ended: true,
    translation: undefined,
  } as ConnectionRecord;
}
