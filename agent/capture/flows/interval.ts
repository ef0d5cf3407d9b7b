// The counters of one connection at one interface in one interval, from a source in the kernel. `low` is the end with
// the lower address, as in the key.

export type Interval = {
  /** Writes the words of the key (flow-columns.ts). */
  key(into: Uint32Array): void;
  readonly interfaceIndex: number;
  readonly protocol: number;
  readonly lowPort: number;
  readonly highPort: number;
  readonly frames: number;
  readonly packetsFromLow: number;
  readonly packetsFromHigh: number;
  readonly bytesFromLow: number;
  readonly bytesFromHigh: number;
  readonly flagsFromLow: number;
  readonly flagsFromHigh: number;
  readonly firstUs: number;
  readonly lastUs: number;
  readonly firstFromLow: boolean;
  readonly podIsLow: boolean;
  /** A packet proves that this end is the initiator: the first SYN, INIT, echo request, or answer to one. */
  readonly lowInitiated: boolean;
  readonly highInitiated: boolean;
  /** A packet other than an ICMP error, or than what an initiator sends first, came from that end. */
  readonly lowSent: boolean;
  readonly highSent: boolean;
  /** The first packet was an ICMP error that quotes the connection. */
  readonly firstQuoted: boolean;
  readonly unreachable: boolean;
  readonly deliveryUnproven: boolean;
  /** SYNs without ACK, all from one end with its number. Unless they repeat a known SYN, one is the first packet. */
  readonly syns: number;
  readonly synsFromLow: boolean;
  /** A SYN-ACK came from that end. */
  readonly lowSentSynAck: boolean;
  readonly highSentSynAck: boolean;
  /** The end's number: from its SYN or SYN-ACK, or what the other end's SYN-ACK answers. */
  readonly hasIsnLow: boolean;
  readonly hasIsnHigh: boolean;
  readonly isnLow: number;
  readonly isnHigh: number;
  /** Time of the first SYN-ACK; 0 if there was none. */
  readonly synackUs: number;
};
