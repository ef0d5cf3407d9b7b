// IP protocol numbers (IANA) and their names.

export const TCP = 6;
export const UDP = 17;
export const SCTP = 132;
export const ICMP = 1;
export const ICMPV6 = 58;

const names = new Map([
  [TCP, 'TCP'],
  [UDP, 'UDP'],
  [SCTP, 'SCTP'],
  [ICMP, 'ICMP'],
  [ICMPV6, 'ICMPv6'],
]);
const numbers = new Map([...names].map(([number, name]) => [name.toLowerCase(), number]));

/** `TCP` for 6; the number as text for a protocol without a name in the list. */
export function protocolName(protocol: number): string {
  return names.get(protocol) ?? String(protocol);
}

/** 6 for `TCP` or `tcp`, 47 for `47` or 47; undefined if invalid. */
export function parseProtocol(text: string | number): number | undefined {
  const known = numbers.get(String(text).toLowerCase());
  if (known !== undefined) return known;
  const number = /^\d{1,3}$/.test(String(text)) ? Number(text) : Number.NaN;
  return number <= 255 ? number : undefined;
}

/** Whether the protocol has ports (RFC 768, 9293, 9260). */
export function hasPorts(protocol: number): boolean {
  return protocol === TCP || protocol === UDP || protocol === SCTP;
}
