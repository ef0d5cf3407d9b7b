// The memory layout that flows.bpf.c and user space share. A test compiles assertions that both agree.

/** `struct flow`, in words of 32 bits. The key comes first, laid out as in flows/flow-columns.ts. */
export const row = {
  bytes: 128,
  words: 32,
  ports: 8,
  protocol: 9,
  interfaceIndex: 10,
  marks: 11,
  /** Flags from the low end (8 bits), flags from the high end (8 bits), number of SYNs (16 bits). */
  flags: 12,
  isnLow: 13,
  isnHigh: 14,
  /** Four words: segments and frames from the low end, then from the high end. */
  packets: 16,
  bytesFromLow: 20,
  bytesFromHigh: 22,
  lastFromLow: 24,
  lastFromHigh: 25,
  firstNs: 26,
  synackNs: 28,
} as const;

export const mark = {
  firstFromHigh: 1,
  podIsLow: 2,
  lowInitiated: 4,
  highInitiated: 8,
  firstQuoted: 16,
  unreachable: 32,
  lowSent: 64,
  highSent: 128,
  lowIsn: 512,
  highIsn: 1024,
  highSyn: 8192,
  lowSynAck: 16384,
  highSynAck: 32768,
  unproven: 4096,
} as const;

/** Events of the ring, by their first word. */
export const event = { flow: 1, translation: 2 } as const;

export const flowEvent = { epoch: 4, row: 64, bytes: 192 } as const;

export const translationEvent = { protocol: 4, addresses: 8, ports: 72, bytes: 80 } as const;
/** Set in `protocol` if the addresses have 16 bytes. */
export const isIpv6Bit = 0x100;

/** In the ring `dns_events`. Addresses have the form of a row's key. */
export const dnsEvent = {
  timeNs: 0,
  interfaceIndex: 8,
  protocol: 12,
  client: 16,
  server: 32,
  sequence: 48,
  clientPort: 52,
  flags: 54,
  kind: 55,
  length: 56,
  payload: 60,
} as const;

/** `enum dns_kind`. */
export const dnsKind = { reply: 0, query: 1, sentAsServer: 2, echo: 3 } as const;

/** `struct dns_share`: of `missed`, the second is what the pod sent. */
export const dnsShare = { missedFromPod: 24, bytes: 32 } as const;

/** `enum counter`: first the reasons of the packet accounting, then events that were dropped because the ring was full. */
export const counters = [
  'not-ip',
  'corrupt',
  'fragment-without-first',
  'table-full',
  'ring-full',
  'not-ours',
  'mapped-address',
] as const;
export const missedEvents = ['translation', 'dns'] as const;
export const countBytes = 16;

/** `struct control`; `ownRows` has one value for each table. */
export const control = {
  bytes: 32,
  epoch: 0,
  seed: 4,
  bucketMask: 8,
  rows: 12,
  sharedRows: 16,
  unansweredRows: 20,
  ownRows: 24,
} as const;
export const used = { bytes: 64, rows: 0, touched: 8 } as const;
/** At most so many interfaces have rows of their own; the others use the last slot together. */
export const interfaceSlots = 512;
/** `struct interface`. */
export const interfaceEntry = {
  bytes: 80,
  slot: 0,
  addressCount: 4,
  linkAddress: 8,
  addresses: 16,
  maxAddresses: 4,
} as const;
/** `struct interface_table`. */
export const interfaceTable = { bytes: 1264, usedRows: 0, sums: 16 } as const;
export const sum = { bytes: 24, key: 0, frames: 8, frameBytes: 16, count: 52 } as const;
export const linkAddressesBytes = 40;
export const clockSampleBytes = 16;
/** Slots of a bucket, and of a set in `conntrack_cache`. */
export const slots = 8;
export const slotBytes = 8;
/** The map's max_entries, a power of two. */
export const ringBytes = 2 << 20;
export const dnsRingBytes = 1 << 20;
