// Packets that are in no connection record, added up by what is known of them.

/** Who began the connections: the pod, or somebody else. If nothing else is known of the packets: their direction. */
export const unrecordedDirections = ['unknown', 'from-pod', 'to-pod'] as const;
export type UnrecordedDirection = (typeof unrecordedDirections)[number];

/**
 * Which kind of address the other end has, as far as a node can know: `private` (RFC 1918, 6598 and 4193), `local`
 * (link-local, loopback, multicast, broadcast and unspecified) or `public`.
 */
export const remoteZones = ['unknown', 'private', 'public', 'local'] as const;
export type RemoteZone = (typeof remoteZones)[number];

export type Unrecorded = {
  direction: UnrecordedDirection;
  /** 0: unknown, or several. */
  protocol: number;
  /** Of the responder. 0: unknown, or several. */
  port: number;
  zone: RemoteZone;
};

/**
 * `of`: of `connections` the direction is who began them; of `packets` only their own direction is known. Protocol and
 * port are 0 if they are unknown or several. Times on the collector's clock; `lastUs` is infinite while it lasts.
 */
export type InterfaceLoss = {
  of: 'connections' | 'packets';
  direction: UnrecordedDirection;
  protocol: number;
  port: number;
  lastUs: number;
};

/** Packets of one kind without a record. Times on the collector's clock. */
export type UnrecordedSum = Unrecorded & {
  reason: string;
  packets: number;
  bytes: number;
  firstUs: number;
  lastUs: number;
};

/**
 * A time in which a table or buffer of a node's agent was full. `connections`: the most that the interface had in the table
 * then; `unanswered`: the most without an answer. Times on the collector's clock.
 */
export type CoverageGap = {
  fromUs: number;
  untilUs: number;
  ended: boolean;
  interfaces: readonly {
    name: string;
    podUid: string;
    connections: number;
    unanswered: number;
    unrecorded: readonly UnrecordedSum[];
  }[];
};

/** `gaps`: the latest of the node, oldest first. */
export type NodeGaps = { node: string; gaps: readonly CoverageGap[] };
