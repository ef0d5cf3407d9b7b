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
  /**
   * DNS names that trusted servers gave the pod at the other end for this address, newest first; external endpoints only.
   */
  names?: readonly string[];
  /** Names from other servers. No verdict depends on them. */
  unverifiedNames?: readonly UnverifiedName[];
};

/** `from` is the DNS server; missing if the agent is too old to report it. */
export type UnverifiedName = { name: string; from?: Address };

/**
 * Shown after an address: `example.com`, `example.com from 203.0.113.9` if that server is not trusted, or
 * `example.com +2` if it has two more names. Empty without a name.
 */
export function namesText({ names = [], unverifiedNames = [] }: Pick<Endpoint, 'names' | 'unverifiedNames'>): string {
  const unverified = unverifiedNames.map(({ name, from = 'an unknown server' }) => `${name} from ${from}`);
  const [newest = '', ...others] = [...names, ...unverified];
  return others.length === 0 ? newest : `${newest} +${others.length}`;
}

export const placements = ['same-node', 'cross-node', 'egress', 'ingress', 'host', 'unplaced'] as const;
export type Placement = (typeof placements)[number];
