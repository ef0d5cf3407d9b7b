// Merges the captures of both directions of an interface in the order of time. The order decides who is the initiator.
import type { Packet } from '../decode/packet.ts';

/** Packets of one direction, in order. The objects are used again after the merge. */
export class PacketRun {
  packets: Packet[] = [];
  timesUs: number[] = [];

  /** 0 if there is no packet. */
  lastUs(): number {
    return this.timesUs.at(-1) ?? 0;
  }
}

/**
 * Passes on the packets of both runs up to `untilUs`, in order; later ones stay. At equal times, `first` goes first.
 */
export function mergeRuns(
  first: PacketRun,
  second: PacketRun,
  untilUs: number,
  fromFirst: (packet: Packet, timeUs: number) => void,
  fromSecond: (packet: Packet, timeUs: number) => void,
): void {
  let a = 0;
  let b = 0;
  for (;;) {
    const aUs = first.timesUs[a] ?? Number.POSITIVE_INFINITY;
    const bUs = second.timesUs[b] ?? Number.POSITIVE_INFINITY;
    if (Math.min(aUs, bUs) > untilUs || (aUs === Number.POSITIVE_INFINITY && bUs === aUs)) break;
    if (aUs <= bUs) fromFirst(first.packets[a++]!, aUs);
    else fromSecond(second.packets[b++]!, bUs);
  }
  drop(first, a);
  drop(second, b);
}

function drop(run: PacketRun, count: number): void {
  if (count === 0) return;
  run.packets.splice(0, count);
  run.timesUs.splice(0, count);
}
