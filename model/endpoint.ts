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
  names?: readonly string[];
};

export type Placement = 'same-node' | 'cross-node' | 'egress' | 'ingress' | 'host';
