// An attack: what the attacker does, and what Waybill must and must not report afterwards.

import type { Address } from '../../model/address.ts';
import type { ConnectionJson, FindingJson } from '../../model/json.ts';
import type { ClusterNetwork } from '../cluster/cluster-network.ts';
import type { RawPeer } from '../programs/raw-peer.ts';
import type { WaybillPrograms } from '../programs/waybill.ts';
import type { HonestTraffic } from './honest-traffic.ts';

export type Attack = {
  /** Unique; docs/threat-model.md names attacks by it. */
  name: string;
  /** One sentence: what the attacker does. */
  does: string;
  /** How long Waybill may take to report it. Default: `defaultReportMs`. */
  reportMs?: number;
  /** Why it cannot run with this capture source; undefined if it can. */
  skip?(source: string): string | undefined;
  /** Attacks, and returns the check of what Waybill reports. */
  run(stage: Stage): Promise<Check>;
};

/** One line for each violated expectation. It is called until it returns no line, or the time is over. */
export type Check = () => Promise<string[]>;

export const defaultReportMs = 15_000;

/** What an attack acts on. `attacker`: the pod tenant/evil-0. `accomplice`: an outside host. */
export type Stage = {
  network: ClusterNetwork;
  waybill: WaybillPrograms;
  honest: HonestTraffic;
  attacker: RawPeer;
  accomplice: RawPeer;
  /** The IPv4 address, or the IPv6 address, of a place such as `shop/db-0` or `node node-a`. */
  addressOf(place: string, family?: 'ipv4' | 'ipv6'): Address;
  /** A source port that no other attack uses. */
  nextPort(): number;
  /** Every finding of the attacker's pod. */
  ownFindings(): Promise<FindingJson[]>;
  /** The newest connections; `query` is for example `from-pod=tenant/evil`. */
  connections(query: string): Promise<ConnectionJson[]>;
};

/** The attacker's workload and its pod. */
export const attackerWorkload = 'tenant/evil';
export const attackerPod = { kind: 'pod', namespace: 'tenant', name: 'evil-0' } as const;
