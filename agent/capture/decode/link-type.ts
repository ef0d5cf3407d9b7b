// The supported link types (https://www.tcpdump.org/linktypes.html).

export const linkTypes = {
  null: 0,
  ethernet: 1,
  rawBsd: 12,
  rawOpenBsd: 14,
  raw: 101,
  loop: 108,
  cooked: 113,
  ipv4: 228,
  ipv6: 229,
  cooked2: 276,
} as const;

const known: ReadonlySet<number> = new Set(Object.values(linkTypes));

export function isKnownLinkType(linkType: number): boolean {
  return known.has(linkType);
}
