// Every reason for which a packet or record is not in a stored connection record. Two kinds, never mixed: what is no
// connection is set aside, and what should have been kept and was not is lost.

export const ignoredReasons = {
  'not-ip': 'frames that carry no IP: ARP, LLDP and the like',
  carrier: 'outer packets of a tunnel, which carry flows and are none',
} as const;

export const lossReasons = {
  'kernel-buffer-full': 'libpcap had no room: raise capture.bufferBytes',
  corrupt: 'the headers contradict each other or end too early',
  'unknown-link-type': 'frames of a capture file whose link type is not decoded',
  'capture-start': 'the first packet of a capture, which libpcap passes over where it could not be made ready',
  'fragment-without-first': 'a later fragment whose first was not seen, so that its ports are not known',
  'table-full': 'no room for another live connection: raise capture.maxConnections',
  'ring-full': 'no room to tell of a connection whose ports the next one took: lower capture.drainEvery',
  'interface-gone': 'seen by the kernel, gone with the interface before it was read',
  'queue-full': 'the collector did not acknowledge in time: raise delivery.maxQueuedRecords',
  rejected: 'the collector refused the batch',
} as const;

export type IgnoredReason = keyof typeof ignoredReasons;
export type LossReason = keyof typeof lossReasons;
