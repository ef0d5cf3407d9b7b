// Headers that a short snap length cuts: the ports that are there are used.
import t from 'tap';
import { ACK, PSH, RST, SYN, URG } from '../../../../model/record.ts';
import { decoded } from '../../../scene/decoded.ts';
import { type Content, ethernet, icmp, ip4, ip6, join, sctp, tcp, udp, vxlan } from '../../../scene/packets.ts';

/** The frame up to `captured` bytes of its transport header. */
function cut(content: Content, captured: number) {
  const frame = ethernet(content);
  const header = 14 + (content.etherType === 0x0800 ? 20 : 40);
  return decoded(frame.subarray(0, header + captured), { length: frame.length, tunnels: 'decapsulate' });
}

const tuple = 'TCP 10.0.1.2:40000 -> 10.0.2.3:80';
const syn = tcp(40_000, 80, 'S', { sequence: 5000 });
const ack = tcp(40_000, 80, 'A', { sequence: 5000, acknowledged: 7000 });
const refusal = tcp(80, 40_000, 'RA', { sequence: 0, acknowledged: 5001 });

t.test('of a TCP header, 14 bytes have flags and numbers', async (t) => {
  for (const captured of [14, 16, 19]) {
    t.match(cut(ip4('10.0.1.2', '10.0.2.3', syn), captured), {
      as: 'packet',
      tuple,
      tcpFlags: SYN,
      initiator: 'source',
      sequence: 5000,
    });
  }
  t.match(cut(ip6('fd00::2', 'fd00::3', ack), 14), {
    as: 'packet',
    tuple: 'TCP [fd00::2]:40000 -> [fd00::3]:80',
    tcpFlags: ACK,
  });
  t.match(cut(ip4('10.0.2.3', '10.0.1.2', refusal), 14), { as: 'packet', tcpFlags: RST | ACK });
});

t.test('of a TCP header, 4 bytes have the ports; PSH says that the flags are not known', async (t) => {
  for (const captured of [4, 8, 11, 12, 13]) {
    t.match(cut(ip4('10.0.1.2', '10.0.2.3', syn), captured), {
      as: 'packet',
      tuple,
      tcpFlags: PSH,
      initiator: 'unknown',
    });
  }
  t.equal(cut(ip4('10.0.1.2', '10.0.2.3', syn), 3).as, 'corrupt');
});

t.test('a segment with both numbers or with data acknowledges, and is no refusal', async (t) => {
  t.match(cut(ip4('10.0.1.2', '10.0.2.3', ack), 12), { tcpFlags: PSH | ACK });
  t.match(cut(ip4('10.0.1.2', '10.0.2.3', ack), 11), { tcpFlags: PSH });
  t.match(cut(ip4('10.0.2.3', '10.0.1.2', refusal), 12), { tcpFlags: PSH }, 'its sequence number is 0');
  const data = tcp(40_000, 80, 'PA', { payload: 41 });
  t.match(cut(ip4('10.0.1.2', '10.0.2.3', data), 4), { tcpFlags: PSH | ACK | URG });
  t.match(cut(ip6('fd00::2', 'fd00::3', data), 4), { tcpFlags: PSH | ACK | URG });
  const short = tcp(40_000, 80, 'PA', { payload: 40 });
  t.match(cut(ip4('10.0.1.2', '10.0.2.3', short), 4), { tcpFlags: PSH | URG }, 'these may be options, of a SYN too');
});

t.test('of UDP and SCTP, 4 bytes are enough', async (t) => {
  t.match(cut(ip4('10.0.1.2', '10.0.2.3', udp(40_000, 53, 100)), 4), {
    as: 'packet',
    tuple: 'UDP 10.0.1.2:40000 -> 10.0.2.3:53',
    dnsStart: 0,
  });
  t.match(cut(ip4('10.0.1.2', '10.0.2.3', sctp(40_000, 80)), 4), {
    as: 'packet',
    tuple: 'SCTP 10.0.1.2:40000 -> 10.0.2.3:80',
  });
});

t.test('an ICMP error belongs to the connection of the ports that it quotes', async (t) => {
  const quoted = ip4('10.0.1.2', '10.0.2.3', udp(40_000, 53));
  const error = ip4('10.0.2.3', '10.0.1.2', icmp(3, 3, 4, quoted.bytes));
  t.match(cut(error, 8 + 20 + 4), { as: 'packet', quoted: true, tuple: 'UDP 10.0.2.3:53 -> 10.0.1.2:40000' });
  t.equal(cut(error, 8 + 20 + 3).as, 'corrupt');
});

t.test('a packet in a tunnel is decoded, or lost if it is cut off; it is never the outer packet', async (t) => {
  const inner = ethernet(ip4('10.0.1.2', '10.0.2.3', ack));
  const outer = ip4('192.0.2.1', '192.0.2.2', udp(1, 4789, vxlan(inner)));
  t.match(cut(outer, 16 + 34 + 12), { as: 'packet', tuple, tcpFlags: PSH | ACK });
  t.equal(cut(outer, 16 + 34 + 3).as, 'corrupt');
  t.equal(cut(outer, 7).as, 'corrupt');
});

t.test('a header that is too short on the wire is corrupt', async (t) => {
  const short = ip4('10.0.1.2', '10.0.2.3', { protocol: 6, bytes: syn.bytes.subarray(0, 16) });
  t.equal(decoded(ethernet(short)).as, 'corrupt');
  const padded = join(ethernet(short), 10);
  t.equal(
    decoded(padded.subarray(0, padded.length - 2), { length: padded.length }).as,
    'corrupt',
    'only padding is cut',
  );
  t.equal(decoded(ethernet(ip4('10.0.1.2', '10.0.2.3', syn)).subarray(0, 46)).as, 'corrupt', 'the frame is not cut');
});
