// The owner of an address at a given time, as users see it (docs/json.md).
import type { Address } from './address.ts';

export type Endpoint = {
  kind: 'pod' | 'node' | 'service' | 'host' | 'external' | 'unknown';
  /** Missing only in a finding about a workload without a connection. */
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
  /** DNS names that pods resolved to this address, newest first; external endpoints only. Not verified. */
  names?: readonly string[];
};

/** Shown after an address: `example.com`, or `example.com +2` if it has two more names; empty without a name. */
export function namesText({ names = [] }: Pick<Endpoint, 'names'>): string {
  const [newest = '', ...others] = names;
  return others.length === 0 ? newest : `${newest} +${others.length}`;
}

export const placements = ['same-node', 'cross-node', 'egress', 'ingress', 'host', 'unplaced'] as const;
export type Placement = (typeof placements)[number];
