// Whether both directions are seen at an interface. Some CNIs redirect packets straight to the pod's end of the veth
// pair, so the host's end shows one direction only. Packets from the node itself to the pod are still seen.
import { TCP } from '../../model/protocol.ts';
import { ACK, type ConnectionRecord, RST, SYN } from '../../model/record.ts';

/** A direction is false if traffic proves that it exists but not all of it is seen. */
export type Visibility = {
  fromPod: boolean;
  toPod: boolean;
  /** Before this time, packets may have passed unseen although the interface was watched; 0 if there was no gap. */
  gapFreeSinceUs: number;
};

type InterfaceCounts = {
  /** TCP packets, and those of them that acknowledge packets of the other side. */
  fromPod: { packets: number; acks: number };
  toPod: { packets: number; acks: number };
  /** Handshakes whose packets from the pod were seen; and those of them without any packet to the pod. */
  handshakes: number;
  halfHandshakes: number;
  gapFreeSinceUs: number;
};

/** This many acknowledgements without a packet of the other side prove that the other side is not seen. */
const acksThatProve = 16;
/** A SYN and its answer may be in two records. That is rare, so a small share of half handshakes proves nothing. */
const proof = { handshakes: 4, share: 0.02 };

export class VisibilityTracker {
  readonly #counts = new Map<number, InterfaceCounts>();

  watch(interfaceIndex: number): void {
    const none = () => ({ packets: 0, acks: 0 });
    this.#counts.set(interfaceIndex, {
      fromPod: none(),
      toPod: none(),
      handshakes: 0,
      halfHandshakes: 0,
      gapFreeSinceUs: 0,
    });
  }

  /** hot, once a record */
  observe({ protocol, point, interfaceIndex, packets, tcpFlags }: ConnectionRecord): void {
    if (protocol !== TCP || point === 'host') return;
    const counts = this.#counts.get(interfaceIndex);
    if (counts === undefined) return;
    const [own, other] = point === 'source' ? (['forward', 'reverse'] as const) : (['reverse', 'forward'] as const);
    count(counts.fromPod, packets[own], tcpFlags[own]);
    count(counts.toPod, packets[other], tcpFlags[other]);
    // SYN and ACK from the pod in one record: it answered a SYN, or it sent a SYN and got the SYN-ACK.
    if ((tcpFlags[own] & (SYN | ACK)) !== (SYN | ACK)) return;
    counts.handshakes += 1;
    if (packets[other] === 0) counts.halfHandshakes += 1;
  }

  /** Packets may have passed unseen until `nowUs`. */
  recordGap(interfaceIndex: number, nowUs: number): void {
    const counts = this.#counts.get(interfaceIndex);
    if (counts !== undefined) counts.gapFreeSinceUs = nowUs;
  }

  at(interfaceIndex: number): Visibility {
    const counts = this.#counts.get(interfaceIndex);
    if (counts === undefined) return { fromPod: true, toPod: true, gapFreeSinceUs: 0 };
    const { fromPod, toPod, handshakes, halfHandshakes, gapFreeSinceUs } = counts;
    const isHalf = halfHandshakes >= proof.handshakes && halfHandshakes > handshakes * proof.share;
    return {
      fromPod: fromPod.packets > 0 || toPod.acks < acksThatProve,
      toPod: !isHalf && (toPod.packets > 0 || fromPod.acks < acksThatProve),
      gapFreeSinceUs,
    };
  }

  forget(interfaceIndex: number): void {
    this.#counts.delete(interfaceIndex);
  }
}

function count(side: InterfaceCounts['fromPod'], packets: number, flags: number): void {
  side.packets += packets;
  if ((flags & (ACK | RST)) === ACK) side.acks += packets;
}
