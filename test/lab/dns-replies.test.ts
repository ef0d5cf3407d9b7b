// An attacker that can send replies with the address of the cluster's DNS server, over real interfaces and with each source:
// a reply without a query makes nothing true, and of two different replies to one query none is believed.
import t from 'tap';
import { sourceNames } from '../../agent/capture/choose.ts';
import { ANSWER, addressRecord, dnsMessage, dnsTypes } from '../../lab/programs/dns-message.ts';
import { packet, udp } from '../../lab/programs/packet.ts';
import { RawPeer } from '../../lab/programs/raw-peer.ts';
import { withLab } from '../../lab/session.ts';
import type { Address } from '../../model/address.ts';
import type { ConnectionJson } from '../../model/json.ts';
import { withoutNamespaces } from '../scene/pod-link.ts';
import { ip } from '../scene/records.ts';

const topology = new URL('../../lab/topologies/domain-names/topology.yaml', import.meta.url).pathname;
const name = 'api.partner.example';
const partner = ip('198.51.100.20');
/** The endpoint: the node of the client gives its packets the Service address. */
const server = ip('10.244.2.53');
const service = ip('10.96.0.10');
const evil = { kind: 'pod', namespace: 'shop', name: 'evil-0' } as const;
const client = { kind: 'pod', namespace: 'shop', name: 'old-0' } as const;
const clientAddress = ip('10.244.1.10');
const maxWaitMs = 30_000;

/** A reply of the server to the query of the client from that port, which is its id too. */
function reply(port: number, address: Address): Buffer {
  const message = dnsMessage({
    id: port,
    flags: ANSWER,
    name,
    type: dnsTypes.A,
    answers: [addressRecord(name, address, 60)],
  });
  return packet(server, clientAddress, udp(53, port, message));
}

t.test('forged replies with the address of the DNS server', { skip: withoutNamespaces }, async (t) => {
  for (const source of sourceNames) {
    await t.test(source, async (t) => {
      await withLab(topology, source, async ({ network, waybill }) => {
        const forger = await RawPeer.start(network.world, evil);
        const peer = network.peerAt(client);
        const connect = (sourcePort: number) =>
          peer.dial({ address: partner, port: 443, protocol: 'TCP', bytes: 10, timeoutMs: 2000, sourcePort });
        const ask = (sourcePort: number) =>
          peer.dial({ address: service, port: 53, protocol: 'UDP', bytes: 0, asks: name, timeoutMs: 2000, sourcePort });
        const verdictOf = async (sourcePort: number, expected: string): Promise<string> => {
          for (const untilMs = Date.now() + maxWaitMs; ; ) {
            const connections = (await waybill.connections()).filter((one) => one.initiatorPort === sourcePort);
            const [verdict = 'none'] = connections.map((one: ConnectionJson) => one.verdict);
            if (verdict === expected || Date.now() > untilMs) return verdict;
            await new Promise((resolve) => setTimeout(resolve, 500));
          }
        };
        try {
          await forger.send([reply(25_001, partner)]);
          await connect(20_001);
          t.equal(await verdictOf(20_001, 'unknown'), 'unknown', 'a reply without a query');
          await ask(25_002);
          await connect(20_002);
          // The agent has reported the first reply by then.
          await new Promise((resolve) => setTimeout(resolve, 1000));
          await forger.send([reply(25_002, ip('198.51.100.66'))]);
          t.equal(await verdictOf(20_002, 'unknown'), 'unknown', 'a second reply to the same query');
          const forgers = (await waybill.findings()).filter(({ kind }) => kind === 'spoofed');
          t.same([...new Set(forgers.map(({ initiator }) => initiator.workload))], ['evil'], 'the forger is reported');
          await ask(25_003);
          await connect(20_003);
          t.equal(await verdictOf(20_003, 'allowed'), 'allowed', 'one reply of the server');
        } finally {
          await forger.kill();
        }
      });
    });
  }
});
