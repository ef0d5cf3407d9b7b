// Whether both directions are seen at an interface. A CNI that redirects packets straight into a pod's own end of its veth
// pair shows one of them only, though not of everything: what the node itself sends to the pod goes the usual way.
import { TCP } from '../../model/protocol.ts';
import { ACK, type ConnectionRecord, RST, SYN } from '../../model/record.ts';

/** False for a direction that traffic proves to exist and that is not seen, or not all of it. */
export type Visibility = {
  fromPod: boolean;
  toPod: boolean;
  /** Before it, packets may have passed unseen though the interface was watched; 0 where none did. */
  gapFreeSinceUs: number;
};

type InterfaceCounts = {
  /** TCP packets, and those that acknowledge what the other side sent. */
  fromPod: { packets: number; acks: number };
  toPod: { packets: number; acks: number };
  /** Handshakes of which the pod's part was seen, and those of which nothing else was. */
  handshakes: number;
  halfHandshakes: number;
  gapFreeSinceUs: number;
};

/** So many packets that acknowledge others prove that there are others. */
const acksThatProve = 16;
/** A SYN may be told in one record and its answer in the next: that is rare, and proves nothing. */
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
    // An initiator acknowledges the SYN-ACK that it got since its SYN, a responder the SYN that it got just now.
    if ((tcpFlags[own] & (SYN | ACK)) !== (SYN | ACK)) return;
    counts.handshakes += 1;
    if (packets[other] === 0) counts.halfHandshakes += 1;
  }

  /** Until now, packets may have passed unseen. */
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
