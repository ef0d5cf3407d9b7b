// EtherTypes of IP, and of the headers that lead to IP (https://www.iana.org/assignments/ieee-802-numbers). docs/replay.md
// lists them.

export const etherTypes = {
  ipv4: 0x0800,
  ipv6: 0x86dd,
  /** 802.1Q, 802.1ad (QinQ), and tags for stacked VLANs from before 802.1ad. */
  tag: 0x8100,
  serviceTag: 0x88a8,
  oldServiceTag: 0x9100,
  olderServiceTag: 0x9200,
  /** 802.1ah: a whole Ethernet frame of the customer after the tag. */
  backboneTag: 0x88e7,
  vnTag: 0x8926,
  /** 802.1BR. */
  extenderTag: 0x893f,
  /** High-availability seamless redundancy (IEC 62439-3). */
  hsr: 0x892f,
  /** Security group tags of Cisco. */
  ciscoMetadata: 0x8909,
  /** Times that Arista's switches insert. */
  aristaTime: 0xd28b,
  /** 802.1AE; opened if the frame is not encrypted. */
  macsec: 0x88e5,
  pppoeSession: 0x8864,
  ppp: 0x880b,
  mpls: 0x8847,
  /** With an upstream-assigned label (RFC 5332); formerly multicast. */
  mplsUpstream: 0x8848,
  /** LLC in a frame that is too long for an 802.3 length. */
  longLlc: 0x8870,
  /** RFC 8300. */
  nsh: 0x894f,
  /** A whole Ethernet frame, in GRE, Geneve and others. */
  ethernet: 0x6558,
} as const;

/** EtherTypes by the number in a header of NSH (RFC 8300 2.2) or VXLAN-GPE (draft-ietf-nvo3-vxlan-gpe 3.2). */
export const nextProtocols: readonly number[] = [
  0,
  etherTypes.ipv4,
  etherTypes.ipv6,
  etherTypes.ethernet,
  etherTypes.nsh,
  etherTypes.mpls,
];

/** A value up to this is the length of an 802.3 frame. LLC follows. */
export const maxLength = 1500;

const opened: ReadonlySet<number> = new Set(Object.values(etherTypes));

export function isOpenedEtherType(type: number): boolean {
  return opened.has(type);
}
