import t from 'tap';
import { Fragments } from '../../../../agent/capture/decode/fragments.ts';
import { maxTunnels } from '../../../../agent/capture/decode/frame.ts';
import { linkTypes } from '../../../../agent/capture/decode/link-type.ts';
import { decoded } from '../../../scene/decoded.ts';
import { headers, type IpPacket, links, tunnels } from '../../../scene/encapsulations.ts';
import {
  arp,
  authentication,
  ethernet,
  icmp,
  ip4,
  ip6,
  join,
  numberLe,
  tcp,
  u8,
  u16,
  u32,
  udp,
} from '../../../scene/packets.ts';

const inners: [inner: IpPacket, tuple: string][] = [
  [
    ip4('10.0.1.2', '10.0.2.3', tcp(40_000, 80, 'SA', { sequence: 5, acknowledged: 6 })),
    'TCP 10.0.1.2:40000 -> 10.0.2.3:80',
  ],
  [ip6('fd00::2', 'fd00::3', udp(40_000, 53, 20)), 'UDP [fd00::2]:40000 -> [fd00::3]:53'],
];
const four = inners[0]![0];
const opened = { tunnels: 'decapsulate' } as const;
const outer = (protocol: number, ...parts: (Buffer | number)[]) =>
  ethernet(ip4('192.0.2.1', '192.0.2.2', { protocol, bytes: join(...parts) }));
const gre = (...parts: (Buffer | number)[]) => decoded(outer(47, ...parts), opened);
const greFlow = { as: 'packet', tuple: /^(GRE|47) 192\.0\.2\.1:0 -> 192\.0\.2\.2:0$/ };

t.test('the packet behind every link type, header and tunnel is decoded', async (t) => {
  for (const [inner, tuple] of inners) {
    for (const { name, linkType, wrap } of links) {
      t.match(decoded(wrap(inner), { ...opened, linkType }), { as: 'packet', tuple }, name);
    }
    for (const { name, wrap } of headers)
      t.match(decoded(ethernet(wrap(inner)), opened), { as: 'packet', tuple }, name);
    for (const { name, wrap } of tunnels)
      t.match(decoded(ethernet(wrap(inner)), opened), { as: 'packet', tuple }, name);
  }
});

t.test('the packet behind every two of them is decoded', async (t) => {
  const found = (name: string, frame: Buffer, tuple: string, linkType?: number) => {
    const { as, tuple: innermost } = decoded(frame, linkType === undefined ? opened : { ...opened, linkType });
    if (as !== 'packet' || innermost !== tuple) t.fail(`${name}: ${as} ${innermost}`);
  };
  for (const [inner, tuple] of inners) {
    for (const tunnel of tunnels) {
      for (const second of tunnels) {
        found(`${tunnel.name} in ${second.name}`, ethernet(second.wrap(tunnel.wrap(inner))), tuple);
      }
      for (const { name, wrap } of headers)
        found(`${tunnel.name} in ${name}`, ethernet(wrap(tunnel.wrap(inner))), tuple);
      for (const { name, wrap, linkType } of links)
        found(`${tunnel.name} in ${name}`, wrap(tunnel.wrap(inner)), tuple, linkType);
    }
    for (const { name, wrap } of headers) {
      const tagged = { ...wrap(inner), protocol: 0 };
      found(
        `${name} in LLC in cooked`,
        links.find((link) => link.name === 'Linux cooked')!.wrap(tagged),
        tuple,
        linkTypes.cooked,
      );
    }
  }
  t.ok(tunnels.length > 20);
});

t.test(
  'a frame cut at any byte is decoded as the same connection, as one of the outer packet, or not at all',
  async (t) => {
    const frames = [
      ...links.map(({ name, linkType, wrap }) => ({ name, linkType, frame: wrap(four) })),
      ...headers.map(({ name, wrap }) => ({ name, linkType: linkTypes.ethernet, frame: ethernet(wrap(four)) })),
      ...tunnels.map(({ name, wrap }) => ({ name, linkType: linkTypes.ethernet, frame: ethernet(wrap(four)) })),
    ];
    for (const { name, linkType, frame } of frames) {
      const expected = [decoded(frame, { ...opened, linkType }), decoded(frame, { linkType })].map(
        ({ tuple }) => tuple,
      );
      for (let length = 0; length < frame.length; length++) {
        const cut = decoded(frame.subarray(0, length), { ...opened, linkType, length: frame.length });
        if (cut.as === 'packet' && !expected.includes(cut.tuple)) t.fail(`${name}, cut at ${length}: ${cut.tuple}`);
      }
    }
  },
);

t.test('live sources open no tunnel and no header besides tags: the outer packet is the flow', async (t) => {
  for (const { name, wrap } of tunnels) {
    const { as, tuple, bytes } = decoded(ethernet(wrap(four)), { tunnels: 'opaque' });
    t.equal(as, 'packet', name);
    t.match(tuple, /(192\.0\.2\.1|2001:db8:f::1)\]?:\d+ -> \[?(192\.0\.2\.2|2001:db8:f::2)/, name);
    t.equal(bytes, ethernet(wrap(four)).length, name);
  }
  const tags = ['802.1Q tag', '802.1ad tag', '0x9100 tag'];
  for (const { name, wrap } of headers) {
    t.equal(decoded(ethernet(wrap(four)), { tunnels: 'opaque' }).as, tags.includes(name) ? 'packet' : 'not-ip', name);
  }
  const inAh = ethernet(ip4('10.0.1.2', '10.0.2.3', authentication(tcp(1, 80))));
  t.match(decoded(inAh, { tunnels: 'opaque' }), { as: 'packet', tuple: /^(AH|51) 10\.0\.1\.2:0 -> / });
});

t.test('tunnels inside one another are opened up to a limit, and lost beyond it', async (t) => {
  const [, tuple] = inners[0]!;
  for (const { name, wrap } of tunnels) {
    let packet = four;
    for (let depth = 1; depth <= maxTunnels; depth++) packet = wrap(packet);
    t.match(decoded(ethernet(packet), opened), { as: 'packet', tuple }, name);
    t.equal(decoded(ethernet(wrap(packet)), opened).as, 'nested-too-deep', name);
  }
});

t.test('AH in IPv4: the header after it is decoded, also of a first fragment and of a quoted packet', async (t) => {
  const tuple = 'TCP 10.0.1.2:40000 -> 10.0.2.3:80';
  const fragments = new Fragments();
  const body = authentication(authentication(tcp(40_000, 80)));
  const of = (traits = {}) => ip4('10.0.1.2', '10.0.2.3', body, traits);
  t.match(decoded(ethernet(of()), opened), { as: 'packet', tuple });
  t.match(decoded(ethernet(of({ more: true, id: 7 })), { ...opened, fragments }), { as: 'packet', tuple });
  const later = ip4('10.0.1.2', '10.0.2.3', { protocol: 51, bytes: Buffer.alloc(16, 0x33) }, { id: 7, offset: 512 });
  t.match(decoded(ethernet(later), { ...opened, fragments }), { as: 'packet', tuple });
  const error = ip4('10.0.2.3', '10.0.1.2', icmp(3, 1, 4, of().bytes));
  t.match(decoded(ethernet(error), opened), { as: 'packet', quoted: true, tuple: 'TCP 10.0.2.3:80 -> 10.0.1.2:40000' });
  t.equal(decoded(ethernet(of()).subarray(0, 40), opened).as, 'corrupt');
});

t.test('GRE with a payload that is not opened is a connection between its ends', async (t) => {
  t.match(gre(u16(0, 0x00fe), 40), greFlow, 'a routing protocol');
  t.match(gre(u16(0, 0)), greFlow, 'a keep-alive');
  t.match(gre(u16(0x4000, 0x0800), 4, four.bytes), greFlow, 'source routes');
  t.match(gre(u16(2, 0x0800), four.bytes), greFlow, 'another version');
  t.match(gre(u16(0x1000, 0x22eb), 4, u8(0x30), 30), greFlow, 'another version of ERSPAN');
  t.equal(gre(u16(0x3000, 0x0800), 4).as, 'corrupt', 'cut within the header');
  t.match(gre(u16(0, 0x6558), ethernet(arp())), greFlow, 'a frame without IP');
});

t.test('an ICMP error about a tunnel is a carrier packet', async (t) => {
  for (const { name, wrap } of tunnels.filter(({ name }) => !name.startsWith('AH'))) {
    const tunnel = wrap(four);
    if (tunnel.etherType !== 0x0800) continue;
    t.equal(
      decoded(ethernet(ip4('192.0.2.254', '192.0.2.1', icmp(3, 4, 4, tunnel.bytes))), opened).as,
      'carrier',
      name,
    );
  }
});

t.test('UDP on the port of a tunnel without its header is a flow like any other', async (t) => {
  const flow = (port: number, payload: Buffer) => {
    const { as, tuple } = decoded(ethernet(ip4('192.0.2.1', '192.0.2.2', udp(40_000, port, payload))), opened);
    t.same(
      { as, tuple },
      { as: 'packet', tuple: `UDP 192.0.2.1:40000 -> 192.0.2.2:${port}` },
      `${port} ${payload.toString('hex')}`,
    );
  };
  for (const port of [2152, 4789, 4790, 6081, 6635, 8472]) {
    flow(port, Buffer.alloc(0));
    flow(port, u8(1, 2, 3));
    flow(port, Buffer.alloc(60, 0xf7));
  }
  flow(2152, join(u8(0x32, 1), u16(4), u32(0), 4)); // an echo request
  flow(2152, join(u8(0x30, 0xff), u16(30), u32(7), Buffer.alloc(30, 0x99))); // neither IP nor Ethernet
  flow(2152, join(u8(0x34, 0xff), u16(30), u32(7), u8(0, 0, 0, 0x85), u8(0), 30)); // an extension without length
  flow(4790, join(u8(0x0c, 0, 0, 9), u32(0), four.bytes)); // an unknown protocol
  flow(6635, join(u32(0x100), Buffer.alloc(30, 0xee)));
});

t.test('MPLS: what follows the labels decides between IP and Ethernet', async (t) => {
  const label = u32(0x10140);
  const after = (bytes: Buffer) => decoded(join(label, bytes), { ...opened, linkType: linkTypes.mpls });
  const frame = ethernet(four);
  for (const first of [0x00, 0x10, 0x40, 0x46, 0x60, 0xfe]) {
    frame[0] = first;
    t.match(after(frame), { as: 'packet', tuple: inners[0]![1] }, `a link address that begins with ${first}`);
    t.match(after(join(u32(first), frame)), { as: 'packet', tuple: inners[0]![1] }, 'with a control word');
  }
  t.equal(after(join(u32(0x10000000), 20)).as, 'not-ip', 'an associated channel');
  t.equal(after(join(u32(0), ethernet(arp()))).as, 'not-ip');
  t.equal(after(Buffer.alloc(0)).as, 'corrupt');
  t.equal(decoded(u32(0x10040), { ...opened, linkType: linkTypes.mpls }).as, 'corrupt', 'no last label');
  // Source 8.0.69.x looks like an Ethernet frame with IPv4; the checksum of the header shows that it is IP.
  const ambiguous = ip4('8.0.69.1', '10.0.2.3', tcp(40_000, 80));
  ambiguous.bytes.writeUInt16BE(checksum(ambiguous.bytes.subarray(0, 20)), 10);
  t.match(after(ambiguous.bytes), { as: 'packet', tuple: 'TCP 8.0.69.1:40000 -> 10.0.2.3:80' });
});

t.test('MPLS: IPv6 with padding after it is IP, also if its source looks like an EtherType', async (t) => {
  const label = u32(0x10140);
  for (const source of ['2001:db8:800:4500::1', '2001:db8:86dd:6000::1', '2001:db8:8100:0:800::1']) {
    const { bytes } = ip6(source, 'fd00::3', tcp(40_000, 80));
    for (const padding of [0, 2, 6]) {
      const packet = decoded(join(label, bytes, padding), { ...opened, linkType: linkTypes.mpls });
      t.match(packet, { as: 'packet', tuple: `TCP [${source}]:40000 -> [fd00::3]:80` }, `${source} ${padding}`);
    }
  }
});

t.test(
  'a flow at the port or with the protocol of a tunnel, without IP inside, is a flow like any other',
  async (t) => {
    const text = Buffer.from('secret data that leaves, with no header of IP anywhere');
    const arpFrame = ethernet(arp());
    const flow = (frame: Buffer, port: number) => {
      const { as, tuple, bytes } = decoded(frame, opened);
      const expected = { as: 'packet', tuple: `UDP 10.0.1.2:40000 -> 10.0.2.3:${port}`, bytes: frame.length };
      t.same({ as, tuple, bytes }, expected, `${port} ${frame.subarray(42).toString('latin1')}`);
    };
    const udpTo = (port: number, ...parts: (Buffer | number)[]) =>
      ethernet(ip4('10.0.1.2', '10.0.2.3', udp(40_000, port, join(...parts))));
    for (const payload of [
      text,
      arpFrame,
      u8(8),
      Buffer.alloc(0),
      four.bytes.subarray(0, 19),
      ethernet(four).subarray(0, 30),
    ]) {
      for (const port of [4789, 8472, 4790]) flow(udpTo(port, u32(0x08000000, 0x4200), payload), port);
      flow(udpTo(4790, u32(0x0c000001, 0x4200), text), 4790);
      flow(udpTo(6081, u32(0x6558, 0x4200), payload), 6081);
      flow(udpTo(6635, u32(0x10140), text), 6635);
      flow(udpTo(2152, u32(0x30ff0020, 7), text), 2152);
    }
    flow(udpTo(6081, u32(0x0806, 0x4200), text), 6081);
    for (const protocol of [4, 41, 97, 137, 143]) {
      const { as, tuple } = decoded(outer(protocol, u32(0x30000140), text), opened);
      t.equal(as, 'packet', `${protocol}`);
      t.match(tuple, /192\.0\.2\.1:0 -> 192\.0\.2\.2:0$/);
    }
    t.match(gre(u16(0, 0x6558), text), greFlow);
    t.match(gre(u16(0, 0x0800), text), greFlow);
  },
);

t.test('a reply to a client whose own port is that of a tunnel is a reply', async (t) => {
  const answers = [
    Buffer.from('\x08answer-with-the-data................'),
    Buffer.from('0\xff0000000600 and more text', 'latin1'),
  ];
  for (const port of [2152, 4789, 4790, 6081, 6635, 8472]) {
    for (const answer of answers) {
      const reply = ethernet(ip4('10.0.2.3', '10.0.1.2', udp(9000, port, answer)));
      t.match(decoded(reply, opened), { as: 'packet', tuple: `UDP 10.0.2.3:9000 -> 10.0.1.2:${port}` });
    }
  }
});

t.test('in a tunnel, a flow that only looks like a tunnel is a flow of the inner packet', async (t) => {
  const inner = ip4('10.0.1.2', '10.0.2.3', udp(40_000, 4789, join(u32(0x08000000, 0), Buffer.from('no IP'))));
  for (const { name, wrap } of tunnels.filter(({ name }) => !name.startsWith('AH'))) {
    t.match(
      decoded(ethernet(wrap(inner)), opened),
      { as: 'packet', tuple: 'UDP 10.0.1.2:40000 -> 10.0.2.3:4789' },
      name,
    );
  }
});

t.test('a tunnel that is cut before the IP header in it is lost, not a flow between nodes', async (t) => {
  const frame = ethernet(ip4('192.0.2.1', '192.0.2.2', udp(40_000, 4789, join(u32(0x08000000, 0), ethernet(four)))));
  for (const length of [50, 60, 64, 70]) {
    t.equal(decoded(frame.subarray(0, length), { ...opened, length: frame.length }).as, 'corrupt', `${length}`);
  }
});

function checksum(header: Buffer): number {
  let sum = 0;
  for (let i = 0; i < header.length; i += 2) sum += header.readUInt16BE(i);
  return 0xffff - (sum % 0xffff);
}

t.test('PPP: compressed fields, Cisco’s framing, and protocols that are not opened', async (t) => {
  const of = (...parts: (Buffer | number)[]) => decoded(join(...parts), { ...opened, linkType: linkTypes.pppHdlc });
  const [, tuple] = inners[0]!;
  t.match(of(u8(0x21), four.bytes), { as: 'packet', tuple });
  t.match(of(u8(0xff, 3, 0x21), four.bytes), { as: 'packet', tuple });
  t.match(of(u8(0x0f, 0, 8, 0), four.bytes), { as: 'packet', tuple });
  t.match(of(u16(0xff03, 0x0281), u32(0x10140), four.bytes), { as: 'packet', tuple });
  t.equal(of(u16(0xff03, 0xc021), 20).as, 'not-ip', 'link control');
  t.equal(of(u16(0xff03, 0x003d), 20).as, 'not-ip', 'multilink');
  t.equal(of(u16(0xff03)).as, 'corrupt');
  t.equal(
    decoded(ethernet({ etherType: 0x8864, bytes: join(u16(0x1109, 7, 0), 20) }), opened).as,
    'not-ip',
    'discovery',
  );
});

t.test('LLC: frames without IP are ignored', async (t) => {
  const of = (...values: number[]) =>
    decoded(ethernet({ etherType: 46, bytes: join(u8(...values), 46 - values.length) }), opened).as;
  t.equal(of(0x42, 0x42, 3), 'not-ip', 'spanning tree');
  t.equal(of(0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0), 'not-ip', 'another organisation');
  t.equal(of(0xff, 0xff, 0), 'not-ip', 'Novell');
  t.equal(decoded(ethernet({ etherType: 2, bytes: u8(0xaa, 0xaa) }), opened).as, 'corrupt');
  t.equal(decoded(ethernet({ etherType: 1501, bytes: Buffer.alloc(60) }), opened).as, 'not-ip');
});

t.test(
  '802.11: frames that are encrypted or have several packets are lost, those without data are ignored',
  async (t) => {
    const of = (control: number[], ...parts: (Buffer | number)[]) =>
      decoded(join(u8(...control), 22, ...parts), { ...opened, linkType: linkTypes.wifi });
    const llc = join(u8(0xaa, 0xaa, 3, 0, 0, 0, 8, 0), four.bytes);
    const [, tuple] = inners[0]!;
    t.match(of([0x08, 0x01], llc), { as: 'packet', tuple });
    t.match(of([0x08, 0x03], 6, llc), { as: 'packet', tuple }, 'with four addresses');
    t.match(of([0x88, 0x81], 6, llc), { as: 'packet', tuple }, 'with QoS and HT control');
    t.match(of([0x08, 0x41], llc), { as: 'packet', tuple }, 'decrypted, with the flag left');
    t.equal(of([0x08, 0x41], Buffer.alloc(60, 0x77)).as, 'unopened', 'encrypted');
    t.equal(of([0x88, 0x01], u16(0x8000), 14, llc).as, 'unopened', 'several packets');
    t.equal(of([0x48, 0x01], llc).as, 'not-ip', 'no data');
    t.equal(of([0x80, 0x00], 60).as, 'not-ip', 'a beacon');
    t.equal(of([0xd4, 0x00]).as, 'not-ip', 'an acknowledgement');
    const later = join(u8(0x08, 0x05), 20, u16(0x0100), llc);
    t.equal(decoded(later, { ...opened, linkType: linkTypes.wifi }).as, 'fragment-without-first');
  },
);

t.test('tags of other kinds are ignored, and cut ones are corrupt', async (t) => {
  const as = (etherType: number, ...parts: (Buffer | number)[]) =>
    decoded(ethernet({ etherType, bytes: join(...parts) }), opened).as;
  t.equal(as(0x88e5, u8(0x0c, 0), u32(1), u16(0x0800), four.bytes), 'not-ip', 'encrypted');
  t.equal(as(0x88e5, u8(0x80, 0), u32(1), u16(0x0800), four.bytes), 'not-ip', 'another version');
  t.equal(as(0x8909, u8(2, 1), u16(1, 5, 0x0800), four.bytes), 'not-ip');
  t.equal(as(0x8909, u8(1, 200), u16(1, 5, 0x0800), four.bytes), 'corrupt');
  t.equal(as(0xd28b, u16(2, 0x10), 8, u16(0x0800), four.bytes), 'not-ip');
  t.equal(as(0xd28b, u16(1, 0x30), 8, u16(0x0800), four.bytes), 'not-ip');
  for (const type of [0x892f, 0x88e5, 0x8909, 0xd28b]) t.equal(as(type, u8(1)), 'corrupt');
});

t.test('NFLOG: nested attributes before the packet are skipped, in both byte orders', async (t) => {
  const of = (...parts: Buffer[]) => decoded(join(u8(2, 0, 0, 0), ...parts), { ...opened, linkType: linkTypes.nflog });
  const { bytes } = four;
  const little = (type: number, length: number) => join(numberLe(length, 2), numberLe(type, 2));
  for (const type of [0x8012, 0x8013, 0x4009 + 1]) {
    t.match(of(little(type, 12), Buffer.alloc(8, 1), little(9, 4 + bytes.length), bytes), { as: 'packet' }, `${type}`);
    t.match(of(u16(12, type), Buffer.alloc(8, 1), u16(4 + bytes.length, 9), bytes), { as: 'packet' }, `${type}`);
  }
  t.equal(of(u16(8, 0x8012), u32(0)).as, 'not-ip');
});

t.test('an 802.11 frame with a bad check sequence is corrupt', async (t) => {
  const llc = join(u8(0xaa, 0xaa, 3, 0, 0, 0, 8, 0), four.bytes);
  const of = (flags: number) =>
    decoded(join(u8(0, 0, 9, 0, 2, 0, 0, 0, flags), u8(8, 1), 22, llc), { ...opened, linkType: linkTypes.radiotap });
  t.match(of(0x10), { as: 'packet', tuple: inners[0]![1] });
  t.equal(of(0x50).as, 'corrupt');
});

t.test('a link type of one IP version has only that version', async (t) => {
  for (const [[{ bytes }], linkType] of [
    [inners[0]!, linkTypes.ipv6],
    [inners[1]!, linkTypes.ipv4],
  ] as const) {
    t.equal(decoded(bytes, { ...opened, linkType }).as, 'corrupt');
  }
});

t.test('headers before a frame that contradict themselves are corrupt', async (t) => {
  const as = (linkType: number, ...parts: (Buffer | number)[]) => decoded(join(...parts), { ...opened, linkType }).as;
  t.equal(as(linkTypes.radiotap, u8(0, 0), numberLe(4, 2), 60), 'corrupt');
  t.equal(as(linkTypes.radiotap, u8(0, 0), numberLe(900, 2), 60), 'corrupt');
  t.equal(as(linkTypes.avs, u32(0, 900), 60), 'corrupt');
  t.equal(as(linkTypes.ppi, u8(0, 0), numberLe(7, 2), 60), 'corrupt');
  t.equal(
    as(linkTypes.ppi, u8(0, 0), numberLe(8, 2), numberLe(linkTypes.ppi, 4), 60),
    'unknown-link-type',
    'PPI in PPI',
  );
  t.equal(as(linkTypes.nflog, u8(2, 0, 0, 0), numberLe(2, 2), numberLe(1, 2), 60), 'corrupt');
  t.equal(as(linkTypes.nflog, u8(2, 0, 0, 0), numberLe(8, 2), numberLe(1, 2), 4), 'not-ip', 'without a packet');
  t.match(
    decoded(join(u8(2, 0, 0, 0), u16(4 + four.bytes.length, 9), four.bytes), { ...opened, linkType: linkTypes.nflog }),
    { as: 'packet', tuple: inners[0]![1] },
    'NFLOG from a big-endian machine',
  );
});
