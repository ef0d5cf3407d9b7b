// Peers that match nothing in the manifests. The texts say "in this folder", because it may have only a part of the cluster.

import { contradictoryKey, everyNamespace } from '../../policy/selector-sets.ts';
import { selects } from '../../policy/selectors.ts';
import type { LintRule } from '../complaint.ts';
import type { DeclaredObjects } from '../declared-objects.ts';
import type { PeerView } from '../rule-view.ts';
import { selectorText } from '../text.ts';

export const matchesNothing: LintRule = {
  name: 'matches-nothing',
  severity: 'low',
  summary:
    'a peer that matches no pod, workload or node in this folder; skip this rule if the folder is a part of the cluster',
  *find(declared) {
    for (const { policy, peers } of declared.rules) {
      if (peers === 'everyone') continue;
      const missing = peers.map((peer) => missingIn(peer, declared));
      const matchesNone = missing.every((one) => one !== undefined);
      for (const [at, one] of missing.entries()) {
        if (one === undefined || one === 'contradiction') continue;
        const fault = `${one} in this folder${matchesNone ? ', so the rule matches nothing' : ''}`;
        const fix = 'correct the selector, or add the missing manifests';
        yield { object: policy, path: peers[at]!.path, fault, fix };
      }
    }
  },
};

function missingIn(peer: PeerView, declared: DeclaredObjects): string | undefined {
  switch (peer.kind) {
    case 'pods': {
      const { namespace, namespaceSelector, podSelector } = peer.pods;
      if (contradictoryKey(podSelector) !== undefined) return 'contradiction';
      if (contradictoryKey([...namespaceSelector, ...everyNamespace]) !== undefined) return 'contradiction';
      const all = declared.podsInScope(peer.pods);
      if (all.some(({ hostNetwork }) => !hostNetwork)) return undefined;
      if (all.length > 0) return 'it selects only pods on the host network';
      if (declared.mayHaveMore(namespace) || declared.maySelectOperatorPods(peer.pods)) return undefined;
      const pods = podSelector.length === 0 ? 'no pods' : `no pods with ${selectorText(podSelector)}`;
      if (namespace !== undefined) return `there are ${pods} in namespace ${namespace}`;
      const namespaces =
        namespaceSelector.length === 0 ? '' : ` in a namespace with ${selectorText(namespaceSelector)}`;
      return `there are ${pods}${namespaces}`;
    }
    case 'nodes':
      if (contradictoryKey(peer.selector) !== undefined) return 'contradiction';
      // Without any node in the folder, the selector cannot be checked.
      if (declared.mayHaveMore(undefined)) return undefined;
      if (declared.nodes.length === 0 || declared.nodes.some(({ labels }) => selects(peer.selector, labels))) {
        return undefined;
      }
      return `there are no nodes with ${selectorText(peer.selector)}`;
    case 'addresses':
    case 'names':
      return undefined;
  }
}
