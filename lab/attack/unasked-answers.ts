// The attacker sends what looks like an answer, or nothing that can be one: who receives it shall look like who began.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Body, echo, echoReply, packet, tcp } from '../programs/packet.ts';
import type { Attack } from './attack.ts';
import { missingFinding } from './expected-finding.ts';

const SCTP = 132;
const initAck = 2;
const lowPort = 443;
const count = 20;
const data = Buffer.alloc(64, 'w');

type Lie = {
  name: string;
  does: string;
  /** Packets to the port of shop/db, some time apart. */
  bodies: (port: number) => Body[];
  /** Of the finding under the attacker's name; none: without a handshake the ports decide who began. */
  protocol?: string;
};

const lies: readonly Lie[] = [
  {
    name: 'echo reply before the request',
    does: 'sends an echo reply that nobody asked for, then requests with the same identifier',
    bodies: () => [echoReply(0, data), echo(0, data), echo(0, data)],
    protocol: 'ICMP',
  },
  {
    name: 'INIT-ACK without an INIT',
    does: 'sends the second chunk of an SCTP handshake from a low port',
    bodies: (port) => [{ protocol: SCTP, bytes: sctp(lowPort, port, initAck) }],
    protocol: 'SCTP',
  },
  {
    name: 'segment without flags',
    does: 'sends a TCP segment without flags from a low port, which the kernel of the other pod refuses',
    bodies: (port) => [tcp(lowPort, port, '')],
  },
  {
    name: 'data without a handshake',
    does: 'sends TCP data from a low port, which the kernel of the other pod resets each time',
    bodies: (port) => Array.from({ length: count }, () => tcp(lowPort, port, 'PA', { acknowledged: 1, payload: data })),
  },
];

export const unaskedAnswers: readonly Attack[] = lies.map(({ name, does, bodies, protocol }) => ({
  name,
  does,
  async run({ attacker, addressOf, nextPort, ownFindings }) {
    const [own, db] = [addressOf('tenant/evil-0'), addressOf('shop/db-0')];
    for (const body of bodies(nextPort())) {
      await attacker.send([packet(own, db, body)]);
      await sleep(50);
    }
    // A finding of the receiver is a false finding, which the run reports for every attack.
    return async () => {
      if (protocol === undefined) return [];
      const wanted = { kind: 'bypass', responder: 'shop/db', protocol };
      return [missingFinding(wanted, await ownFindings())].filter((one) => one !== undefined);
    };
  },
}));

/** A packet of one chunk with 16 bytes (RFC 9260, 3). The checksum is 0: only kernels compare it. */
function sctp(from: number, to: number, chunk: number): Buffer {
  const bytes = Buffer.alloc(32);
  bytes.writeUInt16BE(from, 0);
  bytes.writeUInt16BE(to, 2);
  bytes[12] = chunk;
  bytes.writeUInt16BE(20, 14);
  return bytes;
}
