import t from 'tap';
import { Fragments } from '../../../../agent/capture/decode/fragments.ts';
import { linkTypes } from '../../../../agent/capture/decode/link-type.ts';
import { decoded } from '../../../scene/decoded.ts';
import {
  arp,
  type Body,
  type Content,
  cooked2,
  ethernet,
  extension,
  geneve,
  icmp,
  ip4,
  ip6,
  middle,
  tagged,
  tcp,
  udp,
  vxlan,
} from '../../../scene/packets.ts';

const pods = ip4('10.0.1.2', '10.0.2.3', tcp(40000, 80));
const podsTuple = 'TCP 10.0.1.2:40000 -> 10.0.2.3:80';
const pods6 = ip6('fd00::2', 'fd00::3', tcp(40000, 80));
const pods6Tuple = 'TCP [fd00::2]:40000 -> [fd00::3]:80';

/** Between two nodes. */
function outer(body: Body): Content & Body {
  return ip4('192.0.2.1', '192.0.2.2', body);
}

const tunnels: [name: string, frame: Buffer, tuple: string, inner: Content][] = [
  ['VXLAN', ethernet(outer(udp(50000, 4789, vxlan(ethernet(pods))))), podsTuple, pods],
  ['VXLAN on Linux’s own port', ethernet(outer(udp(50000, 8472, vxlan(ethernet(pods6))))), pods6Tuple, pods6],
  [
    'VXLAN with a tag inside',
    ethernet(outer(udp(50000, 4789, vxlan(ethernet(tagged(pods)))))),
    podsTuple,
    tagged(pods),
  ],
  ['Geneve', ethernet(outer(udp(50000, 6081, geneve(0x6558, ethernet(pods))))), podsTuple, pods],
  ['Geneve with options', ethernet(outer(udp(50000, 6081, geneve(0x6558, ethernet(pods), 12)))), podsTuple, pods],
];
const bare: [name: string, frame: Buffer, tuple: string, bytes: number][] = [
  ['Geneve of IPv4', ethernet(outer(udp(50000, 6081, geneve(0x0800, pods.bytes)))), podsTuple, 40],
  ['Geneve of IPv6', ethernet(outer(udp(50000, 6081, geneve(0x86dd, pods6.bytes, 4)))), pods6Tuple, 60],
  ['IP in IP', ethernet(outer(pods)), podsTuple, 40],
  ['IPv6 in IP', ethernet(outer(pods6)), pods6Tuple, 60],
  ['IP in IPv6', ethernet(ip6('fd01::1', 'fd01::2', extension(60, pods))), podsTuple, 40],
];

t.test('decapsulate: the packet in a tunnel is decoded, with its own bytes', async (t) => {
  for (const [name, frame, tuple, inner] of tunnels) {
    t.match(decoded(frame, { tunnels: 'decapsulate' }), { as: 'packet', tuple, bytes: 14 + inner.bytes.length }, name);
  }
  for (const [name, frame, tuple, bytes] of bare)
    t.match(decoded(frame, { tunnels: 'decapsulate' }), { as: 'packet', tuple, bytes }, name);
});

t.test('opaque: a tunnel is a flow like any other', async (t) => {
  for (const [name, frame] of [...tunnels, ...bare]) {
    const { as, tuple, bytes } = decoded(frame, { tunnels: 'opaque' });
    t.equal(as, 'packet', name);
    t.match(tuple, /^(UDP 192\.0\.2\.1:50000 -> |4 |41 )/, name);
    t.equal(bytes, frame.length, name);
  }
});

t.test('the packet in a tunnel keeps the interface that the frame names', async (t) => {
  const frame = cooked2(outer(udp(50000, 4789, vxlan(ethernet(pods)))), 9);
  t.match(decoded(frame, { tunnels: 'decapsulate', linkType: linkTypes.cooked2 }), {
    tuple: podsTuple,
    interfaceIndex: 9,
  });
});

t.test('a packet on a tunnel’s port without the tunnel’s header is a flow like any other', async (t) => {
  const options = { tunnels: 'decapsulate' } as const;
  const expected = { as: 'packet', tuple: /^UDP 192\.0\.2\.1:50000 -> 192\.0\.2\.2:/ };
  t.match(decoded(ethernet(outer(udp(50000, 4789, vxlan(ethernet(pods), 0)))), options), expected, 'no network id');
  t.match(decoded(ethernet(outer(udp(50000, 4789, 7))), options), expected, 'too short for the header');
  t.match(decoded(ethernet(outer(udp(50000, 6081, Buffer.alloc(40, 0xff)))), options), expected, 'another version');
  t.match(decoded(ethernet(outer(udp(4789, 50000, vxlan(ethernet(pods))))), options).tuple, /^UDP 192\.0\.2\.1:4789/);
});

t.test('a tunnel without IP is a flow; a corrupt packet in a tunnel is lost', async (t) => {
  const options = { tunnels: 'decapsulate' } as const;
  const flow = (body: Body, name: string) =>
    t.match(
      decoded(ethernet(outer(body)), options),
      { as: 'packet', tuple: / 192\.0\.2\.1:[01] -> 192\.0\.2\.2:/ },
      name,
    );
  flow(udp(1, 4789, vxlan(ethernet(arp()))), 'ARP');
  flow(udp(1, 6081, geneve(0x88b5, Buffer.alloc(20))), 'another EtherType');
  flow(udp(1, 4789, vxlan(ethernet(pods).subarray(0, 30))), 'no whole IP header');
  flow({ protocol: 4, bytes: Buffer.alloc(0) }, 'nothing');
  const withoutPorts = ip4('10.0.1.2', '10.0.2.3', { protocol: 6, bytes: Buffer.alloc(3) });
  t.equal(decoded(ethernet(outer(udp(1, 4789, vxlan(ethernet(withoutPorts))))), options).as, 'corrupt');
});

t.test('a tunnel in a tunnel is decapsulated, and the innermost packet has its own bytes', async (t) => {
  const inner = ethernet(outer(udp(1, 4789, vxlan(ethernet(pods)))));
  const frame = ethernet(outer(udp(1, 8472, vxlan(inner))));
  const expected = { as: 'packet', tuple: podsTuple, bytes: 14 + pods.bytes.length };
  t.match(decoded(frame, { tunnels: 'decapsulate' }), expected);
});

t.test('the first fragment of a tunnel’s packet is decapsulated, later ones are carrier packets', async (t) => {
  const options = { tunnels: 'decapsulate', fragments: new Fragments() } as const;
  const first = ip4('192.0.2.1', '192.0.2.2', udp(1, 4789, vxlan(ethernet(pods))), { id: 5, more: true });
  t.match(decoded(ethernet(first), options), { as: 'packet', tuple: podsTuple });
  const later = ip4('192.0.2.1', '192.0.2.2', middle(17), { id: 5, offset: 1400 });
  t.equal(decoded(ethernet(later), options).as, 'carrier');
});

t.test('an ICMP error about a tunnel’s packet is a carrier packet, not a flow between nodes', async (t) => {
  for (const quoted of [outer(udp(50000, 4789, vxlan(ethernet(pods)))), outer(pods)]) {
    const error = ethernet(ip4('192.0.2.254', '192.0.2.1', icmp(3, 4, 4, quoted.bytes)));
    t.equal(decoded(error, { tunnels: 'decapsulate' }).as, 'carrier');
    t.match(decoded(error, { tunnels: 'opaque' }), { as: 'packet', quoted: true });
  }
});
