// The range of each number, and the size of each text and list, in each message of flow.proto. A test compares the fields
// with flow.proto. check-batch.ts applies them before a batch is acknowledged.

export type FieldLimit =
  /** A number, or a list of numbers: each must be in the range. */
  | { is: 'number'; min: number; max: number }
  /** A text, or a list of texts: each has at most this many characters. */
  | { is: 'text'; maxLength: number; maxItems?: number }
  /** A nested message, or a list of them. */
  | { is: 'message'; message: MessageName; maxItems?: number }
  /** Names with numbers. */
  | { is: 'counts'; maxItems: number; maxLength: number; max: number }
  /** Bytes that are packed addresses, or bits: every value is valid. Their number is checked where they are decoded. */
  | { is: 'bytes' }
  | { is: 'flag' };

export type MessageName =
  | 'FlowBatch'
  | 'Clock'
  | 'AgentState'
  | 'Interface'
  | 'Accounting'
  | 'Bytes'
  | 'Coverage'
  | 'Gap'
  | 'GapInterface'
  | 'InterfaceLosses'
  | 'Unrecorded'
  | 'DnsNames'
  | 'DnsQueries'
  | 'Withdrawn'
  | 'Unanswered'
  | 'Watched'
  | 'Records';

/** JavaScript has exact integers up to here; the store has larger ones. */
const maxCount = Number.MAX_SAFE_INTEGER;
const maxPort = 65_535;
const maxUint32 = 2 ** 32 - 1;
const maxInt32 = 2 ** 31 - 1;
/** 256 TiB: more than an interface can carry in one interval. */
const maxBytes = 2 ** 48;
/** 2200-01-01 in µs since the epoch. */
const maxTimeUs = 7_258_118_400_000_000;
/** The age of the oldest connection: ten years. */
export const maxAgeUs = 315_360_000_000_000;
/**
 * How far a time may be after the time of sending. The clock of a node may step back by an hour between the two; an agent
 * that is not honest must not date its records into the far future.
 */
export const maxAheadUs = 7_200_000_000;

const index32 = numberUpTo(maxUint32);
const port = numberUpTo(maxPort);
const count = numberUpTo(maxCount);
const timeUs = numberUpTo(maxTimeUs);
const bytes: FieldLimit = { is: 'bytes' };
const flag: FieldLimit = { is: 'flag' };
/** Reasons are words of the agent's own list. */
const countsByReason: FieldLimit = { is: 'counts', maxItems: 64, maxLength: 64, max: maxCount };
/** The longest text form of an IPv6 address. */
const maxAddressLength = 45;
/** Of a kind, in one batch. */
const maxDnsItems = 100_000;
/** More than the kubelet allows on one node. */
const maxInterfaces = 5_000;
/** An agent keeps fewer. */
const maxGaps = 64;
const maxSums = 512;

export const fieldLimits: Record<MessageName, Record<string, FieldLimit>> = {
  FlowBatch: {
    node: text(253),
    instance: text(64),
    sequence: count,
    sentUs: timeUs,
    coveredUntilUs: timeUs,
    state: message('AgentState'),
    records: message('Records'),
    names: message('DnsNames'),
    clock: message('Clock'),
  },
  Clock: { wallUs: timeUs, acks: count, sinceAckUs: timeUs },
  AgentState: {
    version: text(64),
    source: text(32),
    sourceReason: text(1_000),
    interfaces: message('Interface', maxInterfaces),
    accounting: message('Accounting'),
    nodeAddresses: texts(maxAddressLength, 1_000),
    notWatched: texts(64, maxInterfaces),
    watchingSinceUs: timeUs,
    stopped: flag,
    coverage: message('Coverage'),
  },
  Interface: {
    index: numberUpTo(maxInt32),
    // The kernel has at most 15 bytes.
    name: text(64),
    podUid: text(128),
    addresses: texts(maxAddressLength, 256),
    watchedSinceUs: timeUs,
    seesFromPod: flag,
    seesToPod: flag,
    goneUs: timeUs,
    gapFreeSinceUs: timeUs,
  },
  Accounting: {
    seen: count,
    stored: count,
    ignored: countsByReason,
    lost: countsByReason,
    bytes: message('Bytes'),
  },
  Bytes: { seen: count, stored: count, ignored: countsByReason, lost: countsByReason },
  Coverage: { gaps: message('Gap', maxGaps), unreadable: message('InterfaceLosses', maxInterfaces) },
  Gap: { fromUs: timeUs, untilUs: timeUs, ended: flag, interfaces: message('GapInterface', maxInterfaces) },
  GapInterface: {
    index: numberUpTo(maxInt32),
    name: text(64),
    podUid: text(128),
    connections: numberUpTo(maxUint32),
    unanswered: numberUpTo(maxUint32),
    unrecorded: message('Unrecorded', maxSums),
  },
  InterfaceLosses: { index: numberUpTo(maxInt32), unrecorded: message('Unrecorded', maxSums) },
  Unrecorded: {
    reason: text(64),
    // Larger numbers are `unknown`, as a newer agent may send.
    direction: numberUpTo(255),
    protocol: numberUpTo(255),
    port,
    zone: numberUpTo(255),
    packets: count,
    bytes: count,
    firstUs: timeUs,
    lastUs: timeUs,
  },
  DnsNames: {
    ipv4: bytes,
    ipv6: bytes,
    // Longer and other names are ignored where they are decoded.
    name: text(1_024),
    atUs: timeUs,
    ttlSeconds: numberUpTo(maxInt32),
    interfaceIndex: numberUpTo(maxInt32),
    servers: texts(maxAddressLength, maxDnsItems),
    server: index32,
    asked: index32,
    transport: bytes,
    queries: message('DnsQueries'),
  },
  DnsQueries: {
    withdrawn: message('Withdrawn', maxDnsItems),
    unanswered: message('Unanswered', maxDnsItems),
    watched: message('Watched', maxDnsItems),
  },
  Withdrawn: {
    interfaceIndex: numberUpTo(maxInt32),
    name: text(1_024),
    address: text(maxAddressLength),
    atUs: timeUs,
    server: text(maxAddressLength),
    asked: text(maxAddressLength),
  },
  Unanswered: { interfaceIndex: numberUpTo(maxInt32), name: text(1_024), atUs: timeUs, open: flag },
  Watched: { interfaceIndex: numberUpTo(maxInt32), sinceUs: timeUs, isNew: flag, untilUs: timeUs },
  Records: {
    ipv4: bytes,
    ipv6: bytes,
    baseUs: timeUs,
    initiator: index32,
    responder: index32,
    initiatorPort: port,
    responderPort: port,
    protocol: bytes,
    marks: bytes,
    interfaceIndex: numberUpTo(maxInt32),
    first: { is: 'number', min: -(2 ** 31), max: maxInt32 },
    span: numberUpTo(maxUint32),
    age: numberUpTo(maxAgeUs),
    packetsForward: numberUpTo(maxUint32),
    packetsReverse: numberUpTo(maxUint32),
    bytesForward: numberUpTo(maxBytes),
    bytesReverse: numberUpTo(maxBytes),
    flagsForward: bytes,
    flagsReverse: bytes,
    synRetries: numberUpTo(maxUint32),
    rttUs: numberUpTo(maxUint32),
    moreSegments: numberUpTo(maxUint32),
    translation: index32,
    moreMarks: bytes,
    isn: numberUpTo(maxUint32),
  },
};

function numberUpTo(max: number): FieldLimit {
  return { is: 'number', min: 0, max };
}

function text(maxLength: number): FieldLimit {
  return { is: 'text', maxLength };
}

function texts(maxLength: number, maxItems: number): FieldLimit {
  return { is: 'text', maxLength, maxItems };
}

function message(name: MessageName, maxItems?: number): FieldLimit {
  return maxItems === undefined ? { is: 'message', message: name } : { is: 'message', message: name, maxItems };
}
