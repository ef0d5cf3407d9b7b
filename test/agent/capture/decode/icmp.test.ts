import t from 'tap';
import { decoded } from '../../../scene/decoded.ts';
import {
  type Body,
  type Content,
  echoOf,
  ethernet,
  extension,
  fragment6,
  icmp,
  icmp6,
  ip4,
  ip6,
  middle,
  sctp,
  tcp,
  udp,
} from '../../../scene/packets.ts';

const router = '10.0.0.1';
const a = '10.0.1.2';
const b = '10.0.2.3';

function seen4(body: Body, from = a, to = b) {
  return decoded(ethernet(ip4(from, to, body)));
}

function seen6(body: Body, from = 'fd00::2', to = 'fd00::3') {
  return decoded(ethernet(ip6(from, to, body)));
}

/** The error that a router sends to `a`, with the first `bytes` of the quoted packet. */
function error4(type: number, code: number, quoted: Content, bytes = quoted.bytes.length) {
  return seen4(icmp(type, code, 4, quoted.bytes.subarray(0, bytes)), router, a);
}

function error6(type: number, code: number, quoted: Content, bytes = quoted.bytes.length) {
  return seen6(icmp6(type, code, 4, quoted.bytes.subarray(0, bytes)), 'fd00::1', 'fd00::2');
}

t.test('an echo is a connection, with its identifier as the initiator’s port', async (t) => {
  t.match(seen4(icmp(8, 0, echoOf(513))), { tuple: `ICMP ${a}:513 -> ${b}:0`, initiator: 'source' });
  t.match(seen4(icmp(0, 0, echoOf(513)), b, a), { tuple: `ICMP ${b}:0 -> ${a}:513`, initiator: 'destination' });
  t.match(seen6(icmp6(128, 0, echoOf(513))), { tuple: 'ICMPv6 [fd00::2]:513 -> [fd00::3]:0', initiator: 'source' });
  t.match(seen6(icmp6(129, 0, echoOf(513)), 'fd00::3', 'fd00::2'), {
    tuple: 'ICMPv6 [fd00::3]:0 -> [fd00::2]:513',
    initiator: 'destination',
  });
});

t.test('a message other than echo and error has no ports', async (t) => {
  t.match(seen4(icmp(13, 0, 16)), {
    as: 'packet',
    tuple: `ICMP ${a}:0 -> ${b}:0`,
    initiator: 'unknown',
    quoted: false,
  });
  t.match(seen6(icmp6(135, 0, 20)), { as: 'packet', tuple: 'ICMPv6 [fd00::2]:0 -> [fd00::3]:0', quoted: false });
});

t.test('an error is a reply in the connection that it quotes, whoever sent it', async (t) => {
  const answer = { as: 'packet', quoted: true, unreachable: true, initiator: 'unknown' };
  t.match(error4(3, 1, ip4(a, b, tcp(40000, 80))), { ...answer, tuple: `TCP ${b}:80 -> ${a}:40000` });
  t.match(error4(3, 3, ip4(a, b, udp(40000, 53, 9))), { ...answer, tuple: `UDP ${b}:53 -> ${a}:40000` });
  t.match(error4(3, 2, ip4(a, b, sctp(40000, 3868, 1))), { ...answer, tuple: `SCTP ${b}:3868 -> ${a}:40000` });
  t.match(error4(3, 1, ip4(a, b, icmp(8, 0, echoOf(9)))), { ...answer, tuple: `ICMP ${b}:0 -> ${a}:9` });
  t.match(error4(3, 2, ip4(a, b, { protocol: 47, bytes: Buffer.alloc(4) })), {
    ...answer,
    tuple: `47 ${b}:0 -> ${a}:0`,
  });
  t.match(error6(1, 4, ip6('fd00::2', 'fd00::3', udp(40000, 53))), {
    ...answer,
    tuple: 'UDP [fd00::3]:53 -> [fd00::2]:40000',
  });
  t.match(error6(1, 0, ip6('fd00::2', 'fd00::3', icmp6(128, 0, echoOf(9)))), {
    ...answer,
    tuple: 'ICMPv6 [fd00::3]:0 -> [fd00::2]:9',
  });
});

t.test('flags, sequence number and initiator of the quoted packet are not repeated', async (t) => {
  t.match(error4(3, 1, ip4(a, b, tcp(40000, 80, 'S', { sequence: 5 }))), {
    tcpFlags: 0,
    sequence: 0,
    initiator: 'unknown',
  });
});

t.test('only unreachable errors mark a connection as unreachable, and too big is not one of them', async (t) => {
  const quoted = ip4(a, b, tcp(40000, 80));
  for (const code of [0, 1, 2, 3, 9, 10, 13]) t.equal(error4(3, code, quoted).unreachable, true, `unreachable ${code}`);
  t.match(error4(3, 4, quoted), { quoted: true, unreachable: false }, 'too big');
  for (const type of [4, 11, 12])
    t.match(error4(type, 0, quoted), { quoted: true, unreachable: false }, `type ${type}`);
  const quoted6 = ip6('fd00::2', 'fd00::3', tcp(40000, 80));
  t.match(error6(1, 1, quoted6), { quoted: true, unreachable: true });
  for (const type of [2, 3, 4]) t.match(error6(type, 0, quoted6), { quoted: true, unreachable: false }, `type ${type}`);
});

t.test('8 bytes after the quoted IP header are enough, fewer are corrupt', async (t) => {
  const quoted = ip4(a, b, tcp(40000, 80), { options: 8 });
  t.match(error4(3, 1, quoted, 28 + 8), { as: 'packet', tuple: `TCP ${b}:80 -> ${a}:40000` });
  t.equal(error4(3, 1, quoted, 28 + 7).as, 'corrupt');
  t.equal(error4(3, 1, quoted, 19).as, 'corrupt');
  const quoted6 = ip6('fd00::2', 'fd00::3', extension(0, tcp(40000, 80)));
  t.match(error6(1, 0, quoted6, 40 + 8 + 8), { as: 'packet', tuple: 'TCP [fd00::3]:80 -> [fd00::2]:40000' });
  t.equal(error6(1, 0, quoted6, 40 + 8 + 7).as, 'corrupt');
  t.equal(error6(1, 0, quoted6, 40 + 7).as, 'corrupt');
});

t.test('an error that quotes a later fragment is lost, because the ports are not known', async (t) => {
  t.equal(error4(11, 1, ip4(a, b, middle(17), { offset: 800 })).as, 'fragment-without-first');
  t.equal(error6(3, 1, ip6('fd00::2', 'fd00::3', fragment6(middle(17), { offset: 800 }))).as, 'fragment-without-first');
  t.match(error4(3, 4, ip4(a, b, udp(40000, 53, 800), { more: true })), { tuple: `UDP ${b}:53 -> ${a}:40000` });
});

t.test('a message shorter than its header is corrupt', async (t) => {
  t.equal(seen4({ protocol: 1, bytes: icmp(8, 0, echoOf(1)).bytes.subarray(0, 7) }).as, 'corrupt');
});
