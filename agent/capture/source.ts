// The interface that every live capture source has: it watches pod interfaces and emits connection records.
import type { Address } from '../../model/address.ts';
import type { ConnectionRecord } from '../../model/record.ts';
import type { PodAddresses } from '../interfaces/peer-addresses.ts';
import type { Visibility } from './visibility.ts';

/**
 * A link whose peer is in a pod's network namespace. `appearedUs` is 0 if it existed before the agent started. `noticedUs`
 * is when the kernel reported a change of the links that may be this one; missing if it reported none.
 */
export type PodInterface = { index: number; name: string; appearedUs: number; noticedUs?: number };

/** A container starts later than this after its pod's interface. */
const containerStartUs = 500_000;

/** Whether the interface is watched since before the pod can have sent a query. `nowUs`: when it was watched. */
export function isWatchedFromStart({ appearedUs, noticedUs }: PodInterface, nowUs: number): boolean {
  return appearedUs !== 0 && noticedUs !== undefined && nowUs - noticedUs <= containerStartUs;
}

/** The direction of a packet, from the pod's view. */
export type PodDirection = 'from-pod' | 'to-pod';

/**
 * A DNS packet between a pod and port 53 of a server: a query from the pod, or a reply to it. It is the interface that says
 * which of both, not the message.
 */
export type DnsPacket = {
  interfaceIndex: number;
  direction: PodDirection;
  protocol: number;
  client: Address;
  clientPort: number;
  server: Address;
  /** TCP only, else 0. A SYN-ACK is passed on too, because it shows where the server's stream begins. */
  tcpFlags: number;
  sequence: number;
  /** Of the datagram or segment, or its beginning. Valid until the call returns. */
  payload: Uint8Array;
  /** µs since the epoch. */
  timeUs: number;
};

/**
 * `isNew`: since before the pod can have sent a query. `missed`: packets from the pod from or to port 53 may have passed
 * unseen since `sinceUs`; `what` are those that matter. `sent-as-server`: the pod itself sent a packet from port 53, whatever
 * source address it has. If it goes to the pod's own address, it comes back to the pod like a reply.
 */
export type DnsEvent =
  | { type: 'watched'; interfaceIndex: number; atUs: number; isNew: boolean }
  | { type: 'forgotten'; interfaceIndex: number }
  | { type: 'missed'; interfaceIndex: number; sinceUs: number; what: 'queries' | 'queries-and-forgeries' }
  | ({ type: 'sent-as-server' } & DnsPacket)
  | ({ type: 'packet' } & DnsPacket);

/** Receives the DNS packets of pods, in order, from every source. */
export type DnsSink = { receive(event: DnsEvent): void };

export type CaptureSource = {
  readonly name: 'ebpf' | 'tap' | 'pcap';
  /** Begins to watch; throws a ProblemError if the kernel refuses. */
  watch(link: PodInterface): void;
  /** Packets towards the pod that are for neither of its link addresses count as `not-ours` from now on. */
  setAddresses(index: number, addresses: PodAddresses): void;
  /** Stops watching. The next drains emit the last records of the interface, each marked as ended. */
  forget(link: PodInterface): void;
  /**
   * Emits the records that are due at `nowUs`: connections that are new, changed or ended, and the other live ones at
   * most every reportEveryUs. Each record counts from zero. Returns the time until which all packets are in emitted
   * records, or 0 if that time did not change.
   */
  drain(nowUs: number, emit: (record: ConnectionRecord) => void): number;
  /** Which directions are seen, and since when without a gap. */
  visibility(index: number): Visibility;
  /** Stops watching, emits the remaining records, and releases all kernel objects. */
  close(emit: (record: ConnectionRecord) => void): Promise<void>;
  /** How many interfaces use each kind of attachment; empty if the source has only one kind. */
  readonly attachmentSummary: string;
};
