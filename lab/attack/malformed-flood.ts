// Packets that no kernel accepts, by the thousands: they are losses of a node, and shall not make its proofs doubtful.
import { packet, tcp } from '../programs/packet.ts';
import type { Attack } from './attack.ts';

const times = 4_000;
const perSecond = 5_000;

export const malformedFlood: Attack = {
  name: 'flood of malformed packets',
  does: 'sends packets with cut headers and wrong lengths to another pod on the node of the blocked responder',
  async run({ attacker, addressOf, nextPort }) {
    const [own, cart] = [addressOf('tenant/evil-0'), addressOf('shop/cart-0')];
    const port = nextPort();
    const cut = (protocol: number, bytes: number) => packet(own, cart, { protocol, bytes: Buffer.alloc(bytes, 1) });
    const wrongLength = packet(own, cart, tcp(port, 8080, 'S'), { totalLength: 65_535 });
    const wrongHeaderLength = packet(own, cart, tcp(port, 8080, 'S'));
    wrongHeaderLength[0] = 0x4f;
    const packets = [cut(6, 2), cut(6, 19), cut(17, 1), cut(17, 7), cut(1, 3), wrongLength, wrongHeaderLength];
    await attacker.send(packets, { times, perSecond });
    // The check of the honest traffic is the check: the probe’s connections of that time are still not delivered.
    return async () => [];
  },
};
