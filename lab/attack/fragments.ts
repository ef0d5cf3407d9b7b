// The flags of a SYN are in a second fragment, or the packet is of a protocol that few programs look at. Both are delivered.
import { type Body, echo, fragments, packet, tcp } from '../programs/packet.ts';
import type { Attack } from './attack.ts';
import { missingFinding } from './expected-finding.ts';

/** The first fragment has the ports only. */
const portsOnlyBytes = 8;

export const tinyFragments: Attack = {
  name: 'SYN in tiny fragments',
  does: 'sends a SYN in two fragments, of which the first has the ports and no flags',
  async run({ attacker, addressOf, nextPort, ownFindings }) {
    const [own, db] = [addressOf('tenant/evil-0'), addressOf('shop/db-0')];
    await attacker.send(fragments(own, db, tcp(nextPort(), 5432, 'S'), 77, portsOnlyBytes));
    return async () => {
      // High if the flags hide who began it, else critical.
      const wanted = { kind: 'bypass', responder: 'shop/db', protocol: 'TCP', port: 5432 };
      return [missingFinding(wanted, await ownFindings())].filter((one) => one !== undefined);
    };
  },
};

const ESP = 50;
const EXPERIMENT = 253;
const padding = Buffer.alloc(64, 'w');
const others: readonly { protocol: string; body: Body }[] = [
  { protocol: 'ICMP', body: echo(7, padding) },
  { protocol: String(ESP), body: { protocol: ESP, bytes: padding } },
  { protocol: String(EXPERIMENT), body: { protocol: EXPERIMENT, bytes: padding } },
];

export const otherProtocols: Attack = {
  name: 'protocols without ports',
  does: 'sends data in echo requests, in ESP and in a protocol for experiments',
  async run({ attacker, addressOf, ownFindings }) {
    const [own, db] = [addressOf('tenant/evil-0'), addressOf('shop/db-0')];
    await attacker.send(others.map(({ body }) => packet(own, db, body)));
    return async () => {
      const findings = await ownFindings();
      return others
        .map(({ protocol }) => missingFinding({ kind: 'bypass', responder: 'shop/db', protocol }, findings))
        .filter((one) => one !== undefined);
    };
  },
};
