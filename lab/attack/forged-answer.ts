// The attacker answers for a pod that it is not: a blocked connection shall look delivered, an open one refused.
import { setTimeout as sleep } from 'node:timers/promises';
import { packet, tcp, unreachable } from '../programs/packet.ts';
import type { Attack, Stage } from './attack.ts';
import { missingFinding } from './expected-finding.ts';
import { blocked, honestFlows } from './honest-flows.ts';
import type { Expected } from './honest-traffic.ts';

const vaultPort = 8200;
const probe = honestFlows.find(({ port }) => port === vaultPort)!;
/** Nothing reached the vault, whatever the answer says; after a forged reset, the repeated SYN may be a second connection. */
const disturbed: Expected = {
  ...blocked,
  outcome: ['unanswered', 'refused', 'established'],
  delivered: ['no', 'unknown'],
  maxConnections: 2,
};

type Forgery = {
  name: string;
  does: string;
  /** The forged packets for a connection from the probe's port. */
  packets(stage: Stage, port: number): Buffer[];
  /** Whether the forged address must be a finding: a lone RST or an ICMP error need not be. */
  isSpoofed: boolean;
};

const forgeries: readonly Forgery[] = [
  {
    name: 'forged SYN-ACK for a blocked connection',
    does: 'answers the SYN of another pod, which the network drops, with the address of the responder',
    isSpoofed: true,
    packets: ({ addressOf }, port) => [
      packet(addressOf('shop/vault-0'), addressOf('shop/probe-0'), tcp(vaultPort, port, 'SA', { acknowledged: 1 })),
    ],
  },
  {
    name: 'forged RST for a blocked connection',
    does: 'resets the connection of another pod, which the network drops, with the address of the responder',
    isSpoofed: false,
    packets: ({ addressOf }, port) => [
      packet(addressOf('shop/vault-0'), addressOf('shop/probe-0'), tcp(vaultPort, port, 'RA', { acknowledged: 1 })),
    ],
  },
  {
    name: 'forged ICMP error for a blocked connection',
    does: 'sends "port unreachable" for the connection of another pod, which the network drops',
    isSpoofed: false,
    packets: ({ addressOf }, port) => {
      const [from, to] = [addressOf('shop/probe-0'), addressOf('shop/vault-0')];
      return [packet(addressOf('tenant/evil-0'), from, unreachable(3, packet(from, to, tcp(port, vaultPort, 'S'))))];
    },
  },
];

export const forgedAnswer: readonly Attack[] = forgeries.map(({ name, does, packets, isSpoofed }) => ({
  name,
  does,
  async run(stage) {
    const { sourcePort } = stage.honest.dial(probe, disturbed);
    await sleep(200);
    await stage.attacker.send(packets(stage, sourcePort), { times: 3 });
    return async () => {
      if (!isSpoofed) return [];
      const wanted = { kind: 'spoofed', mentions: stage.addressOf('shop/vault-0') };
      return [missingFinding(wanted, await stage.ownFindings())].filter((one) => one !== undefined);
    };
  },
}));

export const forgedEnd: Attack = {
  name: 'forged RST and ICMP error for an open connection',
  does: 'sends a RST outside of the window and "port unreachable" for an open connection of other pods',
  async run({ attacker, honest, addressOf, connections }) {
    const [web, db] = [addressOf('shop/web-0'), addressOf('shop/db-0')];
    const port = honest.openPort;
    const quoted = packet(web, db, tcp(port, 5432, 'PA'));
    await attacker.send([
      packet(db, web, tcp(5432, port, 'R', { sequence: 1 })),
      packet(addressOf('tenant/evil-0'), web, unreachable(3, quoted)),
      packet(web, db, tcp(port, 5432, 'R', { sequence: 1 })),
    ]);
    // It goes on: the kernels ignore all of this.
    await sleep(3_000);
    return async () => {
      const found = (await connections('from-pod=shop/web-0&port=5432')).filter((one) => one.initiatorPort === port);
      const bad = found.filter(({ outcome, finding }) => outcome !== 'established' || finding !== undefined);
      return bad.map(({ outcome, finding }) => `the open connection is ${outcome}, finding ${finding ?? 'none'}`);
    };
  },
};
