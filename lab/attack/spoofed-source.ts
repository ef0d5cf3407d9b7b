// The attacker's pod sends with the address of somebody else: it frames the owner of the address, and hides itself.
import { setTimeout as sleep } from 'node:timers/promises';
import { isIpv6 } from '../../model/address.ts';
import { type Body, packet, tcp, udp } from '../programs/packet.ts';
import type { Attack } from './attack.ts';
import { type ExpectedFinding, missingFinding } from './expected-finding.ts';

type Forgery = {
  name: string;
  does: string;
  /** A place, or an address. */
  from: string;
  to: string;
  port: number;
  family?: 'ipv4' | 'ipv6';
  protocol?: 'UDP';
  /** The bodies of the packets, from the forged port. */
  bodies?: (port: number, to: number) => Body[];
  /** Default: `spoofed`, critical because the network delivers it and the policies deny it. */
  expected?: Pick<ExpectedFinding, 'kind' | 'severity'>;
};

const syn = (port: number, to: number) => [tcp(port, to, 'S')];
/** As if the SYN-ACK had been received. */
const handshake = (port: number, to: number) => [
  tcp(port, to, 'S', { sequence: 1 }),
  tcp(port, to, 'A', { sequence: 2, acknowledged: 1 }),
  tcp(port, to, 'PA', { sequence: 2, acknowledged: 1, payload: Buffer.from('hello') }),
];
const datagrams = (port: number, to: number) => Array.from({ length: 3 }, () => udp(port, to, Buffer.from('x')));

const forgeries: readonly Forgery[] = [
  {
    name: 'spoofed SYN of a pod on the same node',
    does: 'sends a SYN with the address of another pod on its node',
    from: 'shop/batch-0',
    to: 'shop/db-0',
    port: 5501,
  },
  {
    name: 'spoofed SYN of a pod on another node',
    does: 'sends a SYN with the address of a pod on another node',
    from: 'shop/cart-0',
    to: 'shop/cache-0',
    port: 6501,
  },
  {
    name: 'spoofed SYN over IPv6',
    does: 'sends a SYN with the IPv6 address of another pod',
    from: 'shop/batch-0',
    to: 'shop/db-0',
    port: 5502,
    family: 'ipv6',
  },
  {
    name: 'spoofed datagrams',
    does: 'sends UDP with the address of another pod',
    from: 'shop/batch-0',
    to: 'shop/db-0',
    port: 9999,
    protocol: 'UDP',
    bodies: datagrams,
  },
  {
    name: 'spoofed handshake',
    does: 'sends a SYN, an ACK and data with the address of another pod, as if the handshake were complete',
    from: 'shop/batch-0',
    to: 'shop/db-0',
    port: 5432,
    bodies: handshake,
  },
  {
    name: 'spoofed SYN of another node',
    does: 'sends a SYN with the address of another node, whose traffic no policy of a pod may deny everywhere',
    from: 'node node-b',
    to: 'shop/cache-0',
    port: 6502,
  },
  {
    name: 'spoofed SYN of its own node',
    does: 'sends a SYN with the address of its own node, whose traffic every policy allows; the kernel drops it',
    from: 'node node-a',
    to: 'shop/cache-0',
    port: 6503,
    expected: { kind: 'spoofed', severity: 'high' },
  },
  {
    name: 'spoofed SYN of a Service',
    does: 'sends a SYN with the address of a Service that does not select it',
    from: 'service shop/db',
    to: 'shop/cache-0',
    port: 6504,
  },
  {
    name: 'SYN with an address of nobody',
    does: 'sends a SYN with an address outside of the cluster',
    from: '203.0.113.77',
    to: 'shop/db-0',
    port: 5503,
    expected: { kind: 'foreign-source', severity: 'low' },
  },
  {
    name: 'SYN with an unused pod address',
    does: 'sends a SYN with an address of its node’s pod range that no pod has',
    from: '10.244.1.250',
    to: 'shop/db-0',
    port: 5504,
    expected: { kind: 'foreign-source', severity: 'low' },
  },
];

export const spoofedSource: readonly Attack[] = forgeries.map(attackOf);

function attackOf({ name, does, from, to, port, family = 'ipv4', protocol, bodies = syn, expected }: Forgery): Attack {
  const kind = expected?.kind ?? 'spoofed';
  const severity = expected?.severity ?? 'critical';
  return {
    name,
    does,
    async run({ attacker, addressOf, nextPort, ownFindings }) {
      const source = addressOf(from, family);
      const target = addressOf(to, isIpv6(source) ? 'ipv6' : 'ipv4');
      const sourcePort = nextPort();
      for (const body of bodies(sourcePort, port)) {
        await attacker.send([packet(source, target, body)]);
        await sleep(20);
      }
      return async () => {
        const wanted = { kind, severity, responder: to.replace(/-0$/, ''), protocol: protocol ?? 'TCP', port };
        return [missingFinding({ ...wanted, mentions: source }, await ownFindings())].filter(
          (one) => one !== undefined,
        );
      };
    },
  };
}
