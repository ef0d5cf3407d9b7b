// The one interface of every live capture source: it watches pod interfaces and hands over connection records.
import type { ConnectionRecord } from '../../model/record.ts';
import type { Visibility } from './visibility.ts';

/** A link of this node whose peer stands in a pod's network namespace. `appearedUs` is 0 where it was there before us. */
export type PodInterface = { index: number; name: string; appearedUs: number };

/** Of a packet, as the pod sees it. */
export type Direction = 'from-pod' | 'to-pod';

/**
 * Takes what DNS servers told pods, of every source alike: `bytes` is a datagram or segment from port 53 on its way to a
 * pod, without the headers before it, whole or its beginning, and is read before it returns. Times in µs since the epoch.
 */
export type DnsSink = { receive(protocol: number, bytes: Uint8Array, timeUs: number): void };

export type CaptureSource = {
  readonly name: 'ebpf' | 'tap' | 'pcap';
  /** Begins to watch; throws a ProblemError where the kernel refuses. */
  watch(link: PodInterface): void;
  /** Stops watching. What was seen there is in one of the next drains, every connection marked ended. */
  forget(link: PodInterface): void;
  /**
   * Hands over the records due at `nowUs`: every new connection, every one whose state changed, every one that ended,
   * and live ones at most every reportEveryUs. Counters begin at zero again for each record. Returns until when all that
   * was seen is handed over; 0 where that did not change.
   */
  drain(nowUs: number, emit: (record: ConnectionRecord) => void): number;
  /** How far silence at the interface can speak. */
  visibility(index: number): Visibility;
  /** Stops watching everything, hands over the rest, and gives back what it holds of the kernel. */
  close(emit: (record: ConnectionRecord) => void): Promise<void>;
  /** How packets are seen, where that is not the same everywhere; empty else. */
  readonly attachmentSummary: string;
};
