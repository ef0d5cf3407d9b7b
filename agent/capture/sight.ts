// Whether both directions are seen at an interface. A CNI that redirects packets straight into a pod's own end of its veth
// pair shows one of them only, though not of everything: what the node itself sends to the pod goes the usual way.
import { TCP } from '../../model/protocol.ts';
import { ACK, type ConnectionRecord, RST, SYN } from '../../model/record.ts';

/** False for a direction that traffic proves to exist and that is not seen, or not all of it. */
export type Visible = {
  fromPod: boolean;
  toPod: boolean;
  /** Before it, packets may have passed unseen though the interface was watched; 0 where none did. */
  wholeSinceUs: number;
};

type Seen = {
  /** TCP packets, and those that acknowledge what the other side sent. */
  fromPod: { packets: number; answers: number };
  toPod: { packets: number; answers: number };
  /** Handshakes of which the pod's part was seen, and those of which nothing else was. */
  handshakes: number;
  halfHandshakes: number;
  wholeSinceUs: number;
};

/** So many packets that acknowledge others prove that there are others. */
const answersThatProve = 16;
/** A SYN may be told in one record and its answer in the next: that is rare, and proves nothing. */
const proof = { handshakes: 4, share: 0.02 };

export class Sight {
  readonly #seen = new Map<number, Seen>();

  watch(interfaceIndex: number): void {
    const none = () => ({ packets: 0, answers: 0 });
    this.#seen.set(interfaceIndex, {
      fromPod: none(),
      toPod: none(),
      handshakes: 0,
      halfHandshakes: 0,
      wholeSinceUs: 0,
    });
  }

  /** hot, once a record */
  see({ protocol, point, interfaceIndex, packets, tcpFlags }: ConnectionRecord): void {
    if (protocol !== TCP || point === 'host') return;
    const seen = this.#seen.get(interfaceIndex);
    if (seen === undefined) return;
    const [own, other] = point === 'source' ? (['forward', 'reverse'] as const) : (['reverse', 'forward'] as const);
    count(seen.fromPod, packets[own], tcpFlags[own]);
    count(seen.toPod, packets[other], tcpFlags[other]);
    // An initiator acknowledges the SYN-ACK that it got since its SYN, a responder the SYN that it got just now.
    if ((tcpFlags[own] & (SYN | ACK)) !== (SYN | ACK)) return;
    seen.handshakes += 1;
    if (packets[other] === 0) seen.halfHandshakes += 1;
  }

  /** Until now, packets may have passed unseen. */
  missed(interfaceIndex: number, nowUs: number): void {
    const seen = this.#seen.get(interfaceIndex);
    if (seen !== undefined) seen.wholeSinceUs = nowUs;
  }

  at(interfaceIndex: number): Visible {
    const seen = this.#seen.get(interfaceIndex);
    if (seen === undefined) return { fromPod: true, toPod: true, wholeSinceUs: 0 };
    const { fromPod, toPod, handshakes, halfHandshakes, wholeSinceUs } = seen;
    const isHalf = halfHandshakes >= proof.handshakes && halfHandshakes > handshakes * proof.share;
    return {
      fromPod: fromPod.packets > 0 || toPod.answers < answersThatProve,
      toPod: !isHalf && (toPod.packets > 0 || fromPod.answers < answersThatProve),
      wholeSinceUs,
    };
  }

  forget(interfaceIndex: number): void {
    this.#seen.delete(interfaceIndex);
  }
}

function count(side: Seen['fromPod'], packets: number, flags: number): void {
  side.packets += packets;
  if ((flags & (ACK | RST)) === ACK) side.answers += packets;
}
