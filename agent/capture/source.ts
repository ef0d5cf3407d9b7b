// The interface that every live capture source has: it watches pod interfaces and emits connection records.
import type { ConnectionRecord } from '../../model/record.ts';
import type { Visibility } from './visibility.ts';

/** A link whose peer is in a pod's network namespace. `appearedUs` is 0 if it existed before the agent started. */
export type PodInterface = { index: number; name: string; appearedUs: number };

/** The direction of a packet, from the pod's view. */
export type PodDirection = 'from-pod' | 'to-pod';

/**
 * Receives the DNS answers that pods get, from every source. `bytes` is the payload, or the beginning of the payload,
 * of a datagram or segment from port 53 to a pod; it is valid until the call returns. Times in µs since the epoch.
 */
export type DnsSink = { receive(protocol: number, bytes: Uint8Array, timeUs: number): void };

export type CaptureSource = {
  readonly name: 'ebpf' | 'tap' | 'pcap';
  /** Begins to watch; throws a ProblemError if the kernel refuses. */
  watch(link: PodInterface): void;
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
