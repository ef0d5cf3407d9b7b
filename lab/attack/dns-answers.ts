// A policy lets the attacker reach one name. The attacker makes up DNS answers that give the name to its own addresses.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Address } from '../../model/address.ts';
import { ANSWER, addressRecord, dnsMessage, dnsQuery, dnsTypes } from '../programs/dns-message.ts';
import { packet, udp } from '../programs/packet.ts';
import { type Attack, attackerPod, type Stage } from './attack.ts';
import { missingFinding } from './expected-finding.ts';

const allowedName = 'api.partner.example';
const id = 4_711;
/** After the agents have reported the answer. */
const reportedMs = 2_000;

type Lie = {
  name: string;
  does: string;
  /** An address of the accomplice, to which the answer gives the name. */
  address: string;
  /** `denied`: it is certain that no trusted answer gave the name to the address. Else it may be unknown, never allowed. */
  verdict: 'denied' | 'denied or unknown';
  lie(stage: Stage, address: Address): Promise<void>;
};

const lies: readonly Lie[] = [
  {
    name: 'DNS answer that nobody asked for',
    does: 'sends a DNS answer from its port 53 to another pod, which gives the allowed name to an address',
    address: '198.51.100.21',
    verdict: 'denied',
    lie: ({ attacker, addressOf }, address) => {
      const [own, other] = [addressOf('tenant/evil-0'), addressOf('shop/cart-0')];
      return attacker.send([packet(own, other, udp(53, 44_444, answer(id, address)))]);
    },
  },
  {
    name: 'DNS answer with another id',
    does: 'asks the name server, and sends itself an answer with the server’s address and another id',
    address: '198.51.100.22',
    verdict: 'denied',
    lie: (stage, address) => askAndAnswer(stage, answer(id + 1, address)),
  },
  {
    name: 'second DNS answer',
    does: 'asks the name server, and sends itself a different answer with the server’s address and the right id',
    address: '198.51.100.24',
    verdict: 'denied or unknown',
    lie: (stage, address) => askAndAnswer(stage, answer(id, address)),
  },
  {
    name: 'DNS answer in place of the server',
    does: 'asks with a query that never reaches the name server, and sends itself the answer with the right id',
    address: '198.51.100.25',
    verdict: 'denied or unknown',
    lie: (stage, address) => askAndAnswer(stage, answer(id, address), damaged),
  },
  {
    name: 'DNS server of the attacker',
    does: 'asks its own name server outside of the cluster, which gives the allowed name to an address',
    address: '198.51.100.23',
    verdict: 'denied or unknown',
    lie: async ({ network, addressOf, nextPort }) => {
      const server = { address: addressOf('outside attacker'), port: 53, protocol: 'UDP' as const };
      const query = { bytes: 0, asks: allowedName, timeoutMs: 2_000, sourcePort: nextPort() };
      await network.peerAt(attackerPod).dial({ ...server, ...query });
    },
  },
];

export const dnsAnswers: readonly Attack[] = lies.map(({ name, does, address, verdict, lie }) => ({
  name,
  does,
  async run(stage) {
    const to = address as Address;
    await lie(stage, to);
    await sleep(reportedMs);
    const { outcome } = await stage.network
      .peerAt(attackerPod)
      .dial({ address: to, port: 443, protocol: 'TCP', bytes: 10, timeoutMs: 2_000, sourcePort: stage.nextPort() });
    return async () => {
      const found = (await stage.connections('from-pod=tenant/evil&port=443')).filter((one) => one.responder.ip === to);
      const allowed = verdict === 'denied' ? ['denied'] : ['denied', 'unknown'];
      const bypass = missingFinding({ kind: 'bypass', responder: 'internet', port: 443 }, await stage.ownFindings());
      return [
        outcome === 'established' ? undefined : `the attack itself is ${outcome}`,
        found.length === 1 ? undefined : `expected one connection to ${to}; seen ${found.length}`,
        ...found.map((one) =>
          allowed.includes(one.verdict) ? undefined : `verdict ${verdict} expected; seen ${one.verdict}`,
        ),
        ...found.map(({ responder }) =>
          responder.names.includes(allowedName) ? `${to} has the name ${allowedName}` : undefined,
        ),
        found.some((one) => one.verdict === 'denied') ? bypass : undefined,
      ].filter((one) => one !== undefined);
    };
  },
}));

/** The answer that the attacker makes up leaves its pod, and its node brings it back. */
async function askAndAnswer(
  { attacker, addressOf, nextPort }: Stage,
  forged: Buffer,
  sent: (query: Buffer) => Buffer = (query) => query,
): Promise<void> {
  const [own, server] = [addressOf('tenant/evil-0'), addressOf('service kube-system/kube-dns')];
  const port = nextPort();
  await attacker.silenceKernel('udp', port);
  await attacker.send([
    sent(packet(own, server, udp(port, 53, dnsQuery(allowedName, id)))),
    packet(server, own, udp(53, port, forged)),
  ]);
}

/** With a wrong UDP checksum: every kernel that receives it drops it. */
function damaged(ip: Buffer): Buffer {
  ip[27]! ^= 0xff;
  return ip;
}

function answer(messageId: number, address: Address): Buffer {
  const record = addressRecord(allowedName, address, 86_400);
  return dnsMessage({ id: messageId, flags: ANSWER, name: allowedName, type: dnsTypes.A, answers: [record] });
}
