// The pod that owned an address at a given time. An address is reused within seconds after its pod ends, so each address
// has a short history of owners. Host ports have owners too.
import type { Pod } from '../../model/kubernetes.ts';

type OwnerSpan = { uid: string; fromUs: number; toUs: number };

/** Spans kept for each address; older ones are dropped. */
const maxSpansPerAddress = 8;
const stillOwned = Number.POSITIVE_INFINITY;

export type Owner =
  | { owner: 'pod'; uid: string }
  | { owner: 'none-at-that-time' }
  | { owner: 'ambiguous' }
  | { owner: 'never' };

export class AddressOwners {
  readonly #spans = new Map<string, OwnerSpan[]>();
  readonly #addressesOfPod = new Map<string, readonly string[]>();

  /** `initial`: the pod existed when watching began, so its span begins at the pod's start. */
  put(pod: Pod, atUs: number, when: 'initial' | 'change', addresses: readonly string[] = pod.addresses): void {
    for (const address of this.#addressesOfPod.get(pod.uid) ?? []) {
      if (!addresses.includes(address)) this.#release(address, pod.uid, spanEndUs(pod, atUs));
    }
    this.#addressesOfPod.set(pod.uid, addresses);
    for (const address of addresses) this.#claim(address, pod, atUs, when);
  }

  remove(pod: Pod, atUs: number): void {
    for (const address of this.#addressesOfPod.get(pod.uid) ?? []) this.#release(address, pod.uid, atUs);
    this.#addressesOfPod.delete(pod.uid);
  }

  /** Ambiguous if two pods claim the address at that time. */
  at(address: string, timeUs: number): Owner {
    const spans = this.#spans.get(address);
    if (spans === undefined) return { owner: 'never' };
    const then = spans.filter((span) => span.fromUs <= timeUs && timeUs < span.toUs);
    if (then.length > 1) return { owner: 'ambiguous' };
    return then.length === 1 ? { owner: 'pod', uid: then[0]!.uid } : { owner: 'none-at-that-time' };
  }

  #release(address: string, uid: string, atUs: number): void {
    const openSpan = this.#spans.get(address)?.find((span) => span.uid === uid && span.toUs === stillOwned);
    if (openSpan !== undefined) openSpan.toUs = Math.max(atUs, openSpan.fromUs);
  }

  #claim(address: string, pod: Pod, atUs: number, when: 'initial' | 'change'): void {
    const spans = this.#spans.get(address) ?? [];
    if (spans.some((span) => span.uid === pod.uid && span.toUs === stillOwned)) return;
    const previousEndUs = spans.reduce(
      (latest, span) => (span.toUs === stillOwned ? latest : Math.max(latest, span.toUs)),
      0,
    );
    spans.push({ uid: pod.uid, fromUs: Math.max(previousEndUs, spanStartUs(pod, atUs, when)), toUs: stillOwned });
    if (spans.length > maxSpansPerAddress) spans.shift();
    this.#spans.set(address, spans);
  }
}

/** The API reports an address some time after the pod got it; the pod's start, if known, is closer to that time. */
function spanStartUs(pod: Pod, atUs: number, when: 'initial' | 'change'): number {
  if (when === 'initial') return pod.startedUs;
  return pod.startedUs > 0 && pod.startedUs < atUs ? pod.startedUs : atUs;
}

function spanEndUs(pod: Pod, atUs: number): number {
  return pod.endedUs > 0 && pod.endedUs < atUs ? pod.endedUs : atUs;
}
