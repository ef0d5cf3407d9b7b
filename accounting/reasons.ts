// Every reason why a packet is not in a stored connection record. Ignored packets are not part of a connection; lost
// packets should have been recorded. docs/glossary.md has the same texts.

export const ignoredReasons = {
  'not-ip': 'a frame without IP, such as ARP or LLDP',
  'not-ours': 'a packet at a pod’s interface that is addressed to another host, because a bridge sent it to every port',
  carrier: 'the outer packet of a tunnel, which contains a flow',
  'mapped-address': 'an IPv6 packet with an IPv4-mapped address, which is not the address of the IPv4 host',
} as const;

export const lossReasons = {
  'kernel-buffer-full': 'libpcap’s buffer was full; raise capture.bufferBytes',
  corrupt: 'the headers contradict each other or end too early',
  'unknown-link-type': 'the link type of the capture file is not supported',
  unopened: 'an 802.11 frame of a capture file that is encrypted, or has several packets',
  'nested-too-deep': 'a packet of a capture file in more than 8 tunnels inside one another',
  'after-invalid-bytes': 'a packet after invalid bytes of a capture file, which may be inside the data of a packet',
  'capture-dropped': 'missing in a capture file, as its statistics say: the program that captured was too slow',
  'capture-start': 'the first packet of a capture, which libpcap skips if the capture was not ready',
  'fragment-without-first': 'a later fragment whose first fragment was not seen, so the ports are not known',
  'table-full': 'the connection table was full; raise capture.maxConnections',
  'ring-full': 'the ring buffer was full when another connection reused the ports; lower capture.drainEvery',
  'interface-gone': 'the interface disappeared before its packets were read',
  'queue-full': 'the collector did not acknowledge in time; raise delivery.maxQueuedRecords',
  rejected: 'the collector refused the batch',
} as const;

export type IgnoredReason = keyof typeof ignoredReasons;
export type LossReason = keyof typeof lossReasons;

export function isIgnored(reason: IgnoredReason | LossReason): reason is IgnoredReason {
  return reason in ignoredReasons;
}
