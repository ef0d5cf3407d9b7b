// The supported link types (https://www.tcpdump.org/linktypes.html). docs/replay.md lists them.

export const linkTypes = {
  null: 0,
  ethernet: 1,
  ppp: 9,
  rawBsd: 12,
  rawOpenBsd: 14,
  pppHdlc: 50,
  pppoe: 51,
  raw: 101,
  cHdlc: 104,
  wifi: 105,
  loop: 108,
  enc: 109,
  cooked: 113,
  pflog: 117,
  radiotap: 127,
  avs: 163,
  pppd: 166,
  ppi: 192,
  pppWithDirection: 204,
  cHdlcWithDirection: 205,
  mpls: 219,
  ipv4: 228,
  ipv6: 229,
  nflog: 239,
  cooked2: 276,
} as const;

const known: ReadonlySet<number> = new Set(Object.values(linkTypes));

export function isKnownLinkType(linkType: number): boolean {
  return known.has(linkType);
}
