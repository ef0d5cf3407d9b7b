// Waybill's filters at clsact, for kernels before 6.6. They stay after the agent was killed, unlike its other programs.
// So each source removes them when it begins to watch an interface.

import { type BpfTcHook, silenceLibbpf, tcDetach } from '../../kernel/libbpf.ts';
import type { PodDirection } from './source.ts';

const attachPoints = { 'from-pod': 1, 'to-pod': 2 } as const; // BPF_TC_INGRESS, BPF_TC_EGRESS
/**
 * Handle and priority mark a filter as Waybill's. It runs first for packets from the pod, last for packets to the pod.
 */
const handle = 0x5742;
const priorities = { 'from-pod': 1, 'to-pod': 0xffff } as const;
export const ownFilter = (direction: PodDirection) => ({ handle, priority: priorities[direction] });

export function clsactHook(interfaceIndex: number, direction: PodDirection): BpfTcHook {
  return { ifindex: interfaceIndex, attach_point: attachPoints[direction] };
}

/** Removes filters that a killed agent left. Does nothing without NET_ADMIN or libbpf. */
export function removeLeftoverFilters(interfaceIndex: number): void {
  try {
    silenceLibbpf(); // it writes to stderr if there is no filter
    for (const direction of ['from-pod', 'to-pod'] as const) {
      tcDetach(clsactHook(interfaceIndex, direction), ownFilter(direction));
    }
  } catch {
    // Without libbpf, the killed agent could not attach a filter either.
  }
}
