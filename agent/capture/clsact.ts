// Waybill's filters at clsact, on kernels before 6.6. Unlike its other programs they outlive a killed agent, so that
// whichever source watches the interface next removes them.

import { type BpfTcHook, silenceLibbpf, tcDetach } from '../../kernel/libbpf.ts';
import type { Direction } from './source.ts';

const attachPoints = { 'from-pod': 1, 'to-pod': 2 } as const; // BPF_TC_INGRESS, BPF_TC_EGRESS
/** Handle and priority mark a filter as Waybill's. First where packets leave the pod, last where they enter it. */
const handle = 0x5742;
const priorities = { 'from-pod': 1, 'to-pod': 0xffff } as const;
export const ownFilter = (direction: Direction) => ({ handle, priority: priorities[direction] });

export function clsactHook(interfaceIndex: number, direction: Direction): BpfTcHook {
  return { ifindex: interfaceIndex, attach_point: attachPoints[direction] };
}

/** Removes what a killed agent left at clsact. Without NET_ADMIN or libbpf it stays. */
export function removeLeftoverFilters(interfaceIndex: number): void {
  try {
    silenceLibbpf(); // where there are none, libbpf writes to stderr
    for (const direction of ['from-pod', 'to-pod'] as const) {
      tcDetach(clsactHook(interfaceIndex, direction), ownFilter(direction));
    }
  } catch {
    // Without libbpf here, the killed agent had none either.
  }
}
