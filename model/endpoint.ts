// Who an address was at a time, as users are shown it (docs/json.md).
import type { Address } from './address.ts';

export type Endpoint = {
  kind: 'pod' | 'node' | 'service' | 'host' | 'external' | 'unknown';
  /** Missing only where a finding speaks of a workload and of no connection. */
  ip?: Address;
  namespace?: string;
  workload?: string;
  workloadKind?: string;
  pod?: string;
  node?: string;
  /** A name for the address, e.g. of a Service. */
  service?: string;
  /** Named set of CIDRs; external endpoints always have one. */
  zone?: string;
  /** What DNS told pods that the address is, newest first; of external endpoints only. Nobody vouches for it. */
  names?: readonly string[];
};

/** Beside an address: `example.com`, `example.com +2` where it is known by two more; empty where by none. */
export function namesText({ names = [] }: Pick<Endpoint, 'names'>): string {
  const [newest = '', ...others] = names;
  return others.length === 0 ? newest : `${newest} +${others.length}`;
}

export const placements = ['same-node', 'cross-node', 'egress', 'ingress', 'host'] as const;
export type Placement = (typeof placements)[number];
