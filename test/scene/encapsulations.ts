// Every header, tunnel and link type that capture files open: each wraps the same IP packet. The names are those of
// docs/replay.md.
import { linkTypes } from '../../agent/capture/decode/link-type.ts';
import {
  authentication,
  type Body,
  type Content,
  cooked,
  cooked2,
  ethernet,
  geneve,
  ip4,
  ip6,
  join,
  numberLe,
  tagged,
  u8,
  u16,
  u32,
  udp,
  vxlan,
} from './packets.ts';

export type IpPacket = Content & Body;
/** `wrap` makes the payload of an Ethernet frame. */
export type Header = { name: string; wrap(inner: IpPacket): Content };
/** `wrap` makes the packet between two hosts. */
export type Tunnel = { name: string; wrap(inner: IpPacket): IpPacket };
export type Link = { name: string; linkType: number; wrap(inner: IpPacket): Buffer };

const MPLS = 0x8847;
const LLC = u8(0xaa, 0xaa, 3, 0, 0, 0);
const labels = (...numbers: number[]) =>
  join(...numbers.map((label, i) => u32(((label << 12) | (i === numbers.length - 1 ? 0x100 : 0) | 64) >>> 0)));
const pppProtocol = ({ etherType }: Content) => (etherType === 0x0800 ? 0x21 : 0x57);
const ppp = (inner: IpPacket) => join(u16(pppProtocol(inner)), inner.bytes);
const snap = ({ etherType, bytes }: Content) => join(LLC, u16(etherType), bytes);
const withLength = (bytes: Buffer): Content => ({ etherType: bytes.length, bytes });
/** Its link addresses begin with the bits of an IPv4 version. */
const fourLike = (inner: Content) => {
  const frame = ethernet(inner);
  frame[0] = 0x46;
  return frame;
};

export const headers: readonly Header[] = [
  { name: '802.1Q tag', wrap: (inner) => tagged(inner) },
  { name: '802.1ad tag', wrap: (inner) => tagged(tagged(inner), 0x88a8) },
  { name: '0x9100 tag', wrap: (inner) => tagged(tagged(inner), 0x9100) },
  { name: '0x9200 tag', wrap: (inner) => tagged(tagged(inner), 0x9200) },
  { name: '802.1ah', wrap: (inner) => ({ etherType: 0x88e7, bytes: join(u32(42), ethernet(inner)) }) },
  { name: 'VN-Tag', wrap: ({ etherType, bytes }) => ({ etherType: 0x8926, bytes: join(4, u16(etherType), bytes) }) },
  {
    name: '802.1BR tag',
    wrap: ({ etherType, bytes }) => ({ etherType: 0x893f, bytes: join(6, u16(etherType), bytes) }),
  },
  {
    name: 'HSR',
    wrap: ({ etherType, bytes }) => ({ etherType: 0x892f, bytes: join(u16(0x1040, 1, etherType), bytes) }),
  },
  {
    name: 'Cisco metadata',
    wrap: ({ etherType, bytes }) => ({ etherType: 0x8909, bytes: join(u8(1, 1), u16(1, 5, etherType), bytes) }),
  },
  {
    name: 'Arista time',
    wrap: ({ etherType, bytes }) => ({ etherType: 0xd28b, bytes: join(u16(1, 0x0110), 8, u16(etherType), bytes) }),
  },
  {
    name: 'Arista time, 48 bits',
    wrap: ({ etherType, bytes }) => ({ etherType: 0xd28b, bytes: join(u16(1, 0x0020), 6, u16(etherType), bytes) }),
  },
  {
    name: 'MACsec without encryption',
    wrap: ({ etherType, bytes }) => ({ etherType: 0x88e5, bytes: join(u16(0), u32(1), u16(etherType), bytes, 16) }),
  },
  {
    name: 'MACsec without encryption, with a channel',
    wrap: ({ etherType, bytes }) => ({
      etherType: 0x88e5,
      bytes: join(u8(0x20, 0), u32(1), 8, u16(etherType), bytes, 16),
    }),
  },
  {
    name: 'LLC',
    wrap: (inner) => withLength(inner.etherType === 0x0800 ? join(u8(6, 6, 3), inner.bytes) : snap(inner)),
  },
  { name: 'LLC/SNAP', wrap: (inner) => withLength(snap(inner)) },
  { name: 'LLC in a long frame', wrap: (inner) => ({ etherType: 0x8870, bytes: snap(inner) }) },
  {
    name: 'PPPoE',
    wrap: (inner) => ({ etherType: 0x8864, bytes: join(u8(0x11, 0), u16(7, ppp(inner).length), ppp(inner)) }),
  },
  { name: 'MPLS', wrap: ({ bytes }) => ({ etherType: MPLS, bytes: join(labels(16), bytes) }) },
  {
    name: 'MPLS, several labels',
    wrap: ({ bytes }) => ({ etherType: 0x8848, bytes: join(labels(16, 17, 18), bytes) }),
  },
  { name: 'MPLS pseudowire', wrap: (inner) => ({ etherType: MPLS, bytes: join(labels(16, 17), fourLike(inner)) }) },
  {
    name: 'MPLS pseudowire with control word',
    wrap: (inner) => ({ etherType: MPLS, bytes: join(labels(16), u32(7), ethernet(inner)) }),
  },
  {
    name: 'NSH',
    wrap: ({ etherType, bytes }) => ({
      etherType: 0x894f,
      bytes: join(u8(0, 6, 1, etherType === 0x0800 ? 1 : 2), u32(0x0a0b0c01), 16, bytes),
    }),
  },
];

const outer = (body: Body): IpPacket => ip4('192.0.2.1', '192.0.2.2', body);
const outer6 = (body: Body): IpPacket => ip6('2001:db8:f::1', '2001:db8:f::2', body);
const gre = (flags: number, type: number, ...parts: (Buffer | number)[]): Body => ({
  protocol: 47,
  bytes: join(u16(flags, type), ...parts),
});
const gtpPart = (flags: number, ...parts: Buffer[]) => {
  const rest = join(...parts);
  return join(u8(0x30 | flags, 0xff), u16(rest.length), u32(7), rest);
};
const gpe = (protocol: number, bytes: Buffer) =>
  outer(udp(40_000, 4790, join(u8(0x0c, 0, 0, protocol), u32(42 << 8), bytes)));

export const tunnels: readonly Tunnel[] = [
  { name: 'IPv4 in IP', wrap: (inner) => (inner.etherType === 0x0800 ? outer(inner) : outer6(inner)) },
  { name: 'IPv6 in IP', wrap: (inner) => (inner.etherType === 0x0800 ? outer6(inner) : outer(inner)) },
  { name: 'GRE', wrap: ({ etherType, bytes }) => outer(gre(0, etherType, bytes)) },
  {
    name: 'GRE with key, sequence and checksum',
    wrap: ({ etherType, bytes }) => outer6(gre(0xb000, etherType, 12, bytes)),
  },
  { name: 'GRE with Ethernet', wrap: (inner) => outer(gre(0x2000, 0x6558, u32(42), ethernet(inner))) },
  { name: 'GRE with MPLS', wrap: ({ bytes }) => outer(gre(0, MPLS, labels(16), bytes)) },
  {
    name: 'GRE with PPP (PPTP)',
    wrap: (inner) => outer(gre(0x3081, 0x880b, u16(ppp(inner).length + 2, 7), u32(1, 1), u8(0xff, 3), ppp(inner))),
  },
  {
    name: 'GRE with WCCP',
    wrap: (inner) =>
      outer(gre(0, inner.etherType === 0x0800 ? 0x883e : 0x86dd, inner.etherType === 0x0800 ? 4 : 0, inner.bytes)),
  },
  { name: 'ERSPAN I', wrap: (inner) => outer(gre(0, 0x88be, ethernet(inner))) },
  { name: 'ERSPAN II', wrap: (inner) => outer(gre(0x1000, 0x88be, u32(1), u8(0x10), 7, ethernet(inner))) },
  { name: 'ERSPAN III', wrap: (inner) => outer(gre(0x1000, 0x22eb, u32(1), u8(0x20), 11, ethernet(inner))) },
  {
    name: 'ERSPAN III with platform data',
    wrap: (inner) => outer(gre(0x1000, 0x22eb, u32(1), u8(0x20), 10, u8(1), 8, ethernet(inner))),
  },
  { name: 'VXLAN', wrap: (inner) => outer(udp(40_000, 4789, vxlan(ethernet(inner)))) },
  { name: 'VXLAN, Linux', wrap: (inner) => outer6(udp(40_000, 8472, vxlan(ethernet(inner)))) },
  { name: 'VXLAN-GPE', wrap: (inner) => gpe(inner.etherType === 0x0800 ? 1 : 2, inner.bytes) },
  { name: 'VXLAN-GPE with Ethernet', wrap: (inner) => gpe(3, ethernet(inner)) },
  { name: 'Geneve', wrap: (inner) => outer(udp(40_000, 6081, geneve(0x6558, ethernet(inner)))) },
  {
    name: 'Geneve with options',
    wrap: ({ etherType, bytes }) => outer(udp(40_000, 6081, geneve(etherType, bytes, 24))),
  },
  { name: 'GTP-U', wrap: ({ bytes }) => outer(udp(2152, 2152, gtpPart(0, bytes))) },
  {
    name: 'GTP-U with extension headers',
    wrap: ({ bytes }) =>
      outer(udp(2152, 2152, gtpPart(6, u16(9), u8(0, 0x85), u8(1, 0, 7, 0xc0), u8(2, 0, 0, 0, 0, 0, 0, 0), bytes))),
  },
  { name: 'MPLS in UDP', wrap: ({ bytes }) => outer(udp(40_000, 6635, join(labels(16), bytes))) },
  { name: 'MPLS in IP', wrap: ({ bytes }) => outer({ protocol: 137, bytes: join(labels(16), bytes) }) },
  { name: 'Ethernet in IP', wrap: (inner) => outer6({ protocol: 143, bytes: ethernet(inner) }) },
  { name: 'EtherIP', wrap: (inner) => outer({ protocol: 97, bytes: join(u16(0x3000), ethernet(inner)) }) },
  { name: 'AH, around a tunnel', wrap: (inner) => outer(authentication(inner)) },
];

/** With a time, so that padding precedes it, and a flag that says that padding follows the header of the frame. */
const radiotap = (frame: Buffer) => join(u8(0, 0), numberLe(32, 2), u8(3, 0, 0, 0x80), 8, 8, u8(0x20), 7, frame);
/** With a QoS field, so that padding follows the header of 26 bytes. */
const wifiFrame = (inner: Content, padding: number) =>
  join(u8(0x88, 1), 2, 18, u16(0x1000), u16(0), padding, snap(inner));

export const links: readonly Link[] = [
  { name: 'BSD loopback', linkType: linkTypes.null, wrap: ({ bytes }) => join(u8(2, 0, 0, 0), bytes) },
  { name: 'Ethernet', linkType: linkTypes.ethernet, wrap: ethernet },
  { name: 'PPP', linkType: linkTypes.ppp, wrap: ppp },
  { name: 'Raw IP, BSD', linkType: linkTypes.rawBsd, wrap: ({ bytes }) => bytes },
  { name: 'Raw IP, OpenBSD', linkType: linkTypes.rawOpenBsd, wrap: ({ bytes }) => bytes },
  { name: 'PPP in HDLC framing', linkType: linkTypes.pppHdlc, wrap: (inner) => join(u8(0xff, 3), ppp(inner)) },
  {
    name: 'PPPoE without Ethernet',
    linkType: linkTypes.pppoe,
    wrap: (inner) => join(u8(0x11, 0), u16(7, ppp(inner).length), ppp(inner)),
  },
  { name: 'Raw IP', linkType: linkTypes.raw, wrap: ({ bytes }) => bytes },
  {
    name: 'Cisco HDLC',
    linkType: linkTypes.cHdlc,
    wrap: ({ etherType, bytes }) => join(u8(0x0f, 0), u16(etherType), bytes),
  },
  { name: '802.11', linkType: linkTypes.wifi, wrap: (inner) => wifiFrame(inner, 0) },
  { name: 'OpenBSD loopback', linkType: linkTypes.loop, wrap: ({ bytes }) => join(u8(0, 0, 0, 2), bytes) },
  {
    name: 'OpenBSD IPsec',
    linkType: linkTypes.enc,
    wrap: ({ etherType, bytes }) => join(numberLe(etherType === 0x0800 ? 2 : 24, 4), 8, bytes),
  },
  { name: 'Linux cooked', linkType: linkTypes.cooked, wrap: cooked },
  {
    name: 'pflog',
    linkType: linkTypes.pflog,
    wrap: ({ etherType, bytes }) => join(u8(61, etherType === 0x0800 ? 2 : 24), 62, bytes),
  },
  {
    name: '802.11 with radiotap',
    linkType: linkTypes.radiotap,
    wrap: (inner) => radiotap(wifiFrame(inner, 2)),
  },
  {
    name: '802.11 with AVS',
    linkType: linkTypes.avs,
    wrap: (inner) => join(u32(0x80211001, 64), 56, wifiFrame(inner, 0)),
  },
  { name: 'PPP of pppd', linkType: linkTypes.pppd, wrap: (inner) => join(u8(1, 3), ppp(inner)) },
  {
    name: 'PPI',
    linkType: linkTypes.ppi,
    wrap: (inner) => join(u8(0, 0), numberLe(20, 2), numberLe(linkTypes.wifi, 4), 12, wifiFrame(inner, 0)),
  },
  { name: 'PPP with direction', linkType: linkTypes.pppWithDirection, wrap: (inner) => join(1, ppp(inner)) },
  {
    name: 'Cisco HDLC with direction',
    linkType: linkTypes.cHdlcWithDirection,
    wrap: ({ etherType, bytes }) => join(1, u8(0x8f, 0), u16(etherType), bytes),
  },
  { name: 'MPLS without Ethernet', linkType: linkTypes.mpls, wrap: ({ bytes }) => join(labels(16, 17), bytes) },
  {
    name: 'IPv4',
    linkType: linkTypes.ipv4,
    wrap: (inner) => (inner.etherType === 0x0800 ? inner : outer(inner)).bytes,
  },
  {
    name: 'IPv6',
    linkType: linkTypes.ipv6,
    wrap: (inner) => (inner.etherType === 0x86dd ? inner : outer6(inner)).bytes,
  },
  {
    name: 'NFLOG',
    linkType: linkTypes.nflog,
    wrap: ({ etherType, bytes }) =>
      join(
        ...[u8(etherType === 0x0800 ? 2 : 10, 0), u16(5)],
        ...[numberLe(8, 2), numberLe(1, 2), u16(etherType), u8(3, 0)],
        ...[numberLe(7, 2), numberLe(10, 2), Buffer.from('in\0\0')],
        ...[numberLe(4 + bytes.length, 2), numberLe(9, 2), bytes, (4 - (bytes.length % 4)) % 4],
      ),
  },
  { name: 'Linux cooked, version 2', linkType: linkTypes.cooked2, wrap: (inner) => cooked2(inner) },
];
