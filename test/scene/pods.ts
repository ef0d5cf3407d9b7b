// Pods as the API server has them, at the address of shop/web.
import type { Pod } from '../../model/kubernetes.ts';
import { web } from './records.ts';

export function pod(uid: string, change: Partial<Pod> = {}): Pod {
  return {
    kind: 'Pod',
    namespace: 'shop',
    name: uid,
    uid,
    labels: {},
    workload: { kind: 'Pod', name: uid },
    node: 'n1',
    hostNetwork: false,
    addresses: [web],
    secondaryAddresses: [],
    forwards: [],
    ports: [],
    startedUs: 0,
    endedUs: 0,
    ...change,
  };
}
